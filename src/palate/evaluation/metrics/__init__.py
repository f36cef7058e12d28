"""One metric a file, binary relevance, checked against ranx and ir_measures."""
