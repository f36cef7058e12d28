"""What every stage did for one request: kept for a while, rendered for people."""
