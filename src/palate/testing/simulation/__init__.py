"""`palate simulate --report`: whole sites, started and visited, beside what they have to beat."""
