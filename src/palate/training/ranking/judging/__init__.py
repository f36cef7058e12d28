"""What a judged ranker has to keep, and how it is set before it ships."""
