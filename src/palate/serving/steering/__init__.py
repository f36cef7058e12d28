"""Operators' rules where requests are answered: followed, previewed, told."""
