"""A release of the real shape for a site of this bench: random weights, real work."""

from pathlib import Path
from time import time

import numpy as np
from load.site import _release

from palate.settings import Settings
from palate.stores import close, open_stores


def add_release(home: Path, items: int) -> None:
    """Tower, network and manifest, promoted."""
    settings = Settings(home=home)
    stores = open_stores(settings)
    try:
        _release(settings, stores, (items, items), np.random.default_rng(2), time())
    finally:
        close(stores)
