"""A world with hidden truth: people, things and tastes that no policy can read, only serve."""
