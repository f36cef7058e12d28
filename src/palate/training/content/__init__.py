"""Learning to understand what items say of themselves: no event is looked at."""
