"""The ranker as it is learnt: rows, networks, trees, calibration."""
