"""Stage three: in which list. One filter or rule a file."""
