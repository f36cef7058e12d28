"""What operators see of a running site: histograms in bulk, structured logs, numbers for people."""
