"""A small, safe language for conditions on items: ``year >= 2000 and "drama" in categories``.

`parse` reads the text (never `eval`: only a handful of forms are understood), `check` says whether
every name and kind fits, and `mask` evaluates it over whole columns at once.
"""
