"""Models that are solved for instead of descended to: no torch, no epochs to watch."""
