"""`palate demo --check`: the demo run for real, visited over HTTP, and held to what it promises."""
