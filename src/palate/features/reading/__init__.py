"""Reads every source off a moment: compiled loops, one pass over the candidates."""
