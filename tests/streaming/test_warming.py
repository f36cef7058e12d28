"""The first event finds every kernel loaded, for the very types of arrays that it brings."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
from pathlib import Path
from numba.core.dispatcher import Dispatcher
from tests.streaming.sites import fill, settings_at, some_events, worker_at
from palate.streaming.warming import warm

def loaded():
    found = [v for m in list(sys.modules.values()) if m.__name__.startswith("palate.")
             for v in vars(m).values() if isinstance(v, Dispatcher)]
    return {(v.py_func.__qualname__, str(s)) for v in found for s in v.signatures}

settings = settings_at(Path(sys.argv[1]))
fill(settings, [])
worker, _ = worker_at(settings)
worker.drain()
begun = loaded()  # the boards of an empty site
warm(settings)
before = loaded()
assert before - begun
worker.log.append(some_events(60), 1_700_000_000.0)
worker.drain()
late = loaded() - before
assert not late, late
"""


def test_after_warming_the_first_event_loads_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, tmp_path / "site"]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
