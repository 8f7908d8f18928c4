"""Leakage between splits: what it is, a fast search for it, and a recount by another method."""
