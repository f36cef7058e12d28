"""What has to be set before Python starts, for commands that learn: they start themselves again."""

import os
import sys
from collections.abc import Sequence

from palate.serving.environment import over, training_environment

LEARNING = frozenset({"train", "evaluate"})


def settle(arguments: Sequence[str]) -> None:
    """Become the same command under a malloc that keeps what it freed, where it does not run so.

    Without, half of a training's time goes into page faults. What the operator has set stays, and
    the process, its number and its terminal are the same.
    """
    if sys.platform != "linux" or not LEARNING.intersection(arguments[:1]):
        return
    wanted = over(os.environ, training_environment(1))
    if wanted != dict(os.environ):
        command = [sys.executable, "-m", "palate.cli", *arguments]
        os.execve(sys.executable, command, wanted)  # noqa: S606  ourselves
