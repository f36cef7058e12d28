"""Near things: which vectors are closest to this one."""
