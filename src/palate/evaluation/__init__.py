"""Is it good: splits, metrics, baselines."""
