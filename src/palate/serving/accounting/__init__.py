"""The funnel's books, kept for a sample of live requests."""
