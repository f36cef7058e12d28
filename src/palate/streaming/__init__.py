"""On its way: from the event log to the state, as it happens or all over again."""
