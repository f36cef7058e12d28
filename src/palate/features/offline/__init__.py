"""What was shown and what came of it, kept in columns for training and for anybody's questions."""
