"""The hand: one command a file. The first line of a module's docstring is the command's summary."""
