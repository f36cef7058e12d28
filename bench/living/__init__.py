"""A living site for benches: every role of it in real processes, and a crowd that keeps it busy."""
