"""What was learnt, ready to answer; nothing here needs torch."""
