"""Fuzz every parser, guided by coverage: what crashes, what takes long, what leaks.

    python bench/fuzz.py [--minutes 10] [--only PARSER] [--json] [--write]

Each parser (`fuzzed/parsers.py`) has a process of its own and an even part of the time. Atheris
(libFuzzer) changes bytes, keeps those that reach new lines of Palate's Python, and begins with our
seeds and with what was ever found (`tests/fuzz/`). A finding is an exception that is no
PalateError, or an input that takes a second of CPU; it is written to `--keep`. Afterwards the
inputs that were kept are parsed again and again: memory must stay where it is.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from subprocess import run
from typing import Any

import msgspec
from fuzzed.parsers import PARSERS
from load.ran import ran, source
from load.report import lay

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "reliability.md"
BEGIN, END = "<!-- bench/fuzz.py: begin -->", "<!-- bench/fuzz.py: end -->"


def main(arguments: Sequence[str]) -> None:
    """Fuzz, print a table or JSON; exit code 1 where something was found."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="of all parsers together")
    parser.add_argument("--only", action="append", choices=sorted(PARSERS))
    parser.add_argument("--keep", type=Path, default=Path("fuzz-findings"))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true", help="into docs/reliability.md")
    wanted = parser.parse_args(arguments)
    names = wanted.only or list(PARSERS)
    found = {name: _child(name, wanted.minutes / len(names), wanted.keep) for name in names}
    told = {
        **ran("fuzz", arguments),
        "parsers": found,
    }
    print(msgspec.json.encode(told).decode() if wanted.json else table(told))
    if wanted.write:
        lay(PAGE, BEGIN, END, table(told))
    sys.exit(any(each["findings"] for each in found.values()))


def _child(name: str, minutes: float, keep: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="palate-fuzz-") as folder:
        into = Path(folder)
        command = [sys.executable, "-m", "fuzzed.one", name, str(60 * minutes), folder]
        with (into / "err").open("wb") as err:
            run(command, check=False, stderr=err, stdout=err, cwd=HERE)  # noqa: S603
        if not (into / "told.json").exists():
            last = (into / "err").read_text("utf-8", "replace")[-2_000:]
            return {"inputs": 0, "kept": 0, "findings": [f"it died: {last}"], "grown": 0.0}
        told: dict[str, Any] = msgspec.json.decode((into / "told.json").read_bytes())
        for n, raw in enumerate(sorted(into.glob("finding-*"))):
            keep.mkdir(exist_ok=True)
            (keep / f"{name}-{n}").write_bytes(raw.read_bytes())
        return told


def table(told: dict[str, Any]) -> str:
    """For people."""
    lines = [
        source(told),
        "",
        "| parser | inputs | kept for new lines | slowest | memory grown | findings |",
        "|---|---|---|---|---|---|",
    ]
    for name, each in told["parsers"].items():
        found = "; ".join(each["findings"]) or "none"
        lines.append(
            f"| {name} | {each['inputs']:,} | {each['kept']:,} | {each.get('slowest_ms', 0):.0f} ms"
            f" | {each['grown']:.1f} MB | {found} |"
        )
    total = sum(each["inputs"] for each in told["parsers"].values())
    return "\n".join([*lines, "", f"{total:,} inputs in all."])


if __name__ == "__main__":
    main(sys.argv[1:])
