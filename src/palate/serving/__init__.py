"""The answer: HTTP, workers, health."""
