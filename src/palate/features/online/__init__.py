"""Current state, read on the request path and written by the stream worker alone."""
