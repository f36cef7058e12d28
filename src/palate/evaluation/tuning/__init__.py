"""Find a site's settings on validation data, inside train: what is tested is never looked at."""
