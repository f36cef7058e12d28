"""What an operator wants of the lists, as data: rules, their book, and who changed what."""
