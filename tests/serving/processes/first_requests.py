"""Opens the tiny site in a process of its own and tells what its first requests had to load.

``python first_requests.py FOLDER`` writes a JSON object: by request, the modules that it imported
and the kernels that it compiled, or read from the disk.
"""

import gc
import sys
from pathlib import Path

import msgspec
from litestar.testing import TestClient
from numba.core.dispatcher import Dispatcher

from palate.clock import FixedClock
from palate.serving.app import create
from palate.settings import ServingSettings, Settings
from palate.stores import close
from palate.testing.tiny import NOW, tiny_site

PATHS = (
    "/v1/recommendations/home?user_id=u1",
    "/v1/recommendations/home?session_id=nobody-yet",
    "/v1/recommendations/trending",
    "/v1/recommendations/more_like_this?item_id=drama-1&user_id=u2",
    "/v1/pages/home?user_id=u1",
)


def loaded() -> set[str]:
    """Modules, and kernels with how many kinds of arguments they are there for."""
    kernels = (each for each in gc.get_objects() if isinstance(each, Dispatcher))
    return set(sys.modules) | {f"{k.py_func.__qualname__} {len(k.overloads)}" for k in kernels}


def main(folder: Path) -> None:
    (folder / "palate.toml").touch()
    settings = Settings(home=folder, serving=ServingSettings(budget_ms=0.0, page_ms=0.0))
    stores, _ = tiny_site(settings)
    told = {}
    with TestClient(create(settings, clock=FixedClock(NOW), stores=stores)) as client:
        for path in PATHS:
            before = loaded()
            assert client.get(path).status_code == 200
            told[path] = sorted(loaded() - before)
    close(stores)
    sys.stdout.write(msgspec.json.encode(told).decode())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
