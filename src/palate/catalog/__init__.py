"""Who and what: items, users, and the columns that every worker shares."""
