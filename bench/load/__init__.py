"""Driving a real server: a site on disk, arrivals at a fixed rate, and what came of them."""
