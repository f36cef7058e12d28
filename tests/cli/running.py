"""Runs the command as a person would."""

import os
import subprocess
import sys


def palate(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """`palate …` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "palate.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"COLUMNS": "100", "NO_COLOR": "1"} | environment,
    )
