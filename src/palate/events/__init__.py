"""What happened: facts, in the order in which they became known."""
