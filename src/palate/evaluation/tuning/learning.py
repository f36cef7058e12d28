"""What tuning trains so that it can be asked: in a folder of the site, to go on with after a kill.

The training keeps checkpoints in its site's folder; here that is one of tuning's own.
"""

import shutil
from contextlib import suppress
from pathlib import Path

from palate.evaluation.run import Learn, Progress
from palate.evaluation.workspace import Workspace
from palate.stores import current_release, with_release

FOLDER = "tuning"
"""In the site's folder, while quotas are tuned and where that was killed; may be deleted."""
TASK, LEARNT = "task", "learnt"


def folder_of(home: Path, task: str) -> Path:
    """The folder, as an earlier run with the same task left it; empty after any other."""
    folder = home / FOLDER
    note = folder / TASK
    if not note.is_file() or note.read_text("utf-8") != task:
        clear(home)
        folder.mkdir(parents=True)
        note.write_text(task, "utf-8")
    return folder


def learnt(space: Workspace, learn: Learn, progress: Progress) -> Workspace:
    """Train, unless an earlier run came to the end of that."""
    done = space.stores.settings.home / LEARNT
    if done.exists():
        return space.learnt(with_release(space.stores, current_release(space.stores.settings)))
    found = space.learnt(learn(space.stores, progress))
    done.touch()
    return found


def clear(home: Path) -> None:
    """The quotas are found, or another task begins."""
    with suppress(FileNotFoundError):
        shutil.rmtree(home / FOLDER)
