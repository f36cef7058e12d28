"""History from files: tables in, rejects out, and the public data sets."""
