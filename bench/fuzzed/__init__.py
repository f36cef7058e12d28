"""Every parser of Palate as a function of bytes: it returns, or raises PalateError."""
