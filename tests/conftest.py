"""What holds for all tests."""

from hypothesis import settings

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
"""A machine that is busy with something else fails no test."""
