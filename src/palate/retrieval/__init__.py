"""Stage one: what could be shown. One generator a file."""
