"""Every feature of the system, a line each, one file per subject."""
