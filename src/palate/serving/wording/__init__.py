"""Reasons in words: a template file for each language."""
