"""What is asked before a site is started: whether it can be, and that nobody runs it already."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from palate.cli.output import REMARK, say
from palate.errors import BadInput
from palate.serving.environment import over, serving_environment
from palate.settings import Settings
from palate.streaming.lock import check_alone, only_site


@contextmanager
def starting(settings: Settings) -> Iterator[None]:
    """Have the site to ourselves, fit to start. Raises Conflict, or BadInput with what is wrong."""
    with only_site(settings):
        check_alone(settings)
        check_fit(settings)
        yield


def check_fit(settings: Settings) -> None:
    """Raise BadInput where `palate check` finds something wrong.

    In a process of its own: a store that is damaged ends who reads it, and what runs a site must
    outlive that, for the stream worker mends it.
    """
    check = (sys.executable, "-m", "palate.cli", "check", "--starting")
    command = (*check, "--site", str(settings.home.resolve()))
    done = subprocess.run(  # noqa: S603  ourselves
        command,
        capture_output=True,
        text=True,
        check=False,
        env=over(os.environ, serving_environment()),
    )
    for line in done.stderr.splitlines():
        if line.startswith(REMARK):
            say(line)
    if done.returncode == BadInput.exit_code:
        *_, told = done.stderr.strip().splitlines() or ["palate: the site cannot start"]
        raise BadInput(told.removeprefix("palate: "))
