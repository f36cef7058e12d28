"""Runs the command as a person would."""

import os
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import BytesIO, TextIOWrapper
from types import MappingProxyType

import pytest

from palate.cli.app import main

TERMINAL = MappingProxyType({"COLUMNS": "100", "NO_COLOR": "1"})


def palate(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """`palate …` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "palate.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | TERMINAL | environment,
    )


def within(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """The same in this process, which has imported already what a command needs."""
    said = [TextIOWrapper(BytesIO(), "utf-8", write_through=True) for _ in range(2)]
    ends = signal.getsignal(signal.SIGTERM)
    with (
        pytest.MonkeyPatch.context() as patch,
        redirect_stdout(said[0]),
        redirect_stderr(said[1]),
    ):
        for name, value in (TERMINAL | environment).items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["palate", *arguments])
        patch.setattr(os, "nice", lambda _: 0)  # the tests stay as they are
        try:
            with pytest.raises(SystemExit) as ended:
                main()
        finally:
            signal.signal(signal.SIGTERM, ends)
    code = int(ended.value.code or 0)
    for each in said:
        each.seek(0)
    return subprocess.CompletedProcess(arguments, code, *(each.read() for each in said))
