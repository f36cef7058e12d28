"""What we know: features, and how each one grows from events."""
