"""eSpeak NG, GPL-3-or-later: one child program that loads it, one launcher that runs the child in a process of its own."""
