"""Ties a process to its parent: when the parent dies, even by ``kill -9``, the child ends too.

Run as ``python tether.py PARENT NICENESS COMMAND…`` it ties itself and becomes the command (the tie
survives exec), so that any program can be a role. It imports next to nothing on purpose.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def tie_to_parent(parent: int) -> None:
    """Ask the kernel for SIGKILL when `parent` is gone; end at once where it already is.

    Everything acknowledged is durable, so a hard end loses nothing. Linux only; elsewhere a no-op.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the parent is gone")


def main(arguments: list[str]) -> None:
    """Tie, be nice, become the command."""
    parent, niceness, *command = arguments
    tie_to_parent(int(parent))
    os.nice(int(niceness))
    os.execvp(command[0], command)  # noqa: S606  the supervisor's own command line


if __name__ == "__main__":
    main(sys.argv[1:])
