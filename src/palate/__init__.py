"""Palate: a self-hosted recommendation engine, from events to a ranked and explained page."""

__version__ = "0.1.0"
