"""Moments of the past, and pages that were shown: the lists that the ranker learns from."""
