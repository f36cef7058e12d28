"""What a bench ran on, when, and by which command: said beside every number."""

import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import strftime
from typing import Any

import palate


def ran(program: str, arguments: Sequence[str]) -> dict[str, Any]:
    """By which to run it again; `--write` is left out, for it measures nothing."""
    said = [each for each in arguments if each != "--write"]
    return {
        "machine": machine(),
        "date": strftime("%Y-%m-%d"),
        "command": " ".join([f"bench/{program}.py", *said]),
    }


def source(told: Mapping[str, Any]) -> str:
    """The same as a line of a page."""
    facts = told["machine"]
    on = f"{facts['processor']}, {facts['cores']} cores, load {facts['load']}"
    return f"`{told['command']}`, {told['date']}; {on}."


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    lines = Path("/proc/cpuinfo").read_text("utf-8") if Path("/proc/cpuinfo").exists() else ""
    models = [line.partition(":")[2].strip() for line in lines.splitlines() if "model name" in line]
    return {
        "processor": models[0] if models else platform.processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "gigabytes": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "palate": palate.__version__,
    }
