"""The forms in which a network serves."""
