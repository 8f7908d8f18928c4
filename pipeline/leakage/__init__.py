"""Leakage between splits: the rules, the search for leaks, an independent recount."""
