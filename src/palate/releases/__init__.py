"""What is live: everything training made, immutable and checksummed."""
