"""Learning: from the log to the next release. Torch lives here only."""
