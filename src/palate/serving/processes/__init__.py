"""How worker processes are started, told apart, and replaced while they serve."""
