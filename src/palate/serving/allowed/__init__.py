"""What a request may be shown: its own filter, and the catalogue's policy."""
