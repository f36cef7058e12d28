"""Near things in a large catalogue: vectors of a byte a number, in clusters, in mapped files."""
