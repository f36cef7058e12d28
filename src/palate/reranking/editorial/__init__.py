"""What operators ask of a list by data (`palate.rules`), one filter, rule or constraint a file."""
