"""Models side by side on the same questions: ours as they serve, and peers from their packages."""
