"""The contract of the three stages, and the engine that runs them in order."""
