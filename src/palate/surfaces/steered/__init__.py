"""Surfaces as operators' rules make them."""
