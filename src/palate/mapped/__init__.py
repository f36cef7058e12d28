"""Arrays in files that processes share: what they hold, how they grow, who follows the log."""
