"""Fuzz one parser in this process: ``python -m fuzzed.one PARSER SECONDS FOLDER``."""

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from time import process_time, time

import atheris
import msgspec

from fuzzed.mangled import mangled

INSTRUMENTED = [
    "palate.catalog.converted",
    "palate.catalog.decode",
    "palate.catalog.fields",
    "palate.events.decode",
    "palate.expressions",
    "palate.intake",
    "palate.releases.manifest",
    "palate.rules.decode",
    "palate.serving.cursor",
    "palate.serving.routes.asking",
    "palate.serving.wording",
    "palate.settings_files",
    "tomllib",
]
"""What guides the fuzzer; compiled kernels cannot be among it."""
with atheris.instrument_imports(include=INSTRUMENTED):
    from fuzzed.parsers import SEEDS, tried

FOUND = Path(__file__).parents[2] / "tests" / "fuzz"
LONGEST = 4_096
"""Bytes of an input."""
SLOW = 1.0
"""Seconds of CPU that no input of so few bytes may take."""
ROUNDS, REPLAYED = 6, 20_000
"""How often what was kept is parsed again, and how many inputs of it in a round at most."""


def main(name: str, seconds: str, folder: str) -> None:
    """Fuzz until the time is over; writes what came of it."""
    into = Path(folder)
    corpus = into / "corpus"
    corpus.mkdir()
    for n, raw in enumerate(known(name)):
        (corpus / f"seed-{n}").write_bytes(raw)
    watched = Watched(name, time() + float(seconds), into)
    flags = [f"-max_len={LONGEST}", "-rss_limit_mb=0", "-timeout=60", "-verbosity=0"]
    more = {"custom_mutator": _mangled} if name == "parquet" else {}
    atheris.Setup([sys.argv[0], *flags, str(corpus)], watched.take, **more)
    atheris.Fuzz()


def known(name: str) -> Iterator[bytes]:
    """Where a parser's fuzzing begins: our seeds, and what was found before."""
    yield from SEEDS[name]
    for file in sorted((FOUND / name).glob("*")):
        yield file.read_bytes()


def _mangled(raw: bytes, most: int, seed: int) -> bytes:
    """Half of what libFuzzer asks for is changed with a view to what Parquet is."""
    chance = Random(seed)  # noqa: S311  repeatable, not secret
    if chance.random() < 0.5:  # noqa: PLR2004
        return bytes(atheris.Mutate(raw, most))
    return mangled(raw, chance)[:most]


class Watched:
    """Lets the parser have each input, and writes down what should not have happened."""

    def __init__(self, name: str, until: float, into: Path) -> None:
        self._name, self._until, self._into = name, until, into
        self._findings: dict[str, bytes] = {}
        self._inputs = 0
        self._slowest = 0.0

    def take(self, raw: bytes) -> None:
        """One input of the fuzzer's; ends the process when the time is over."""
        self._inputs += 1
        began = process_time()
        try:
            tried(self._name, raw)
        except Exception as error:  # noqa: BLE001  that is what is looked for
            at = error.__traceback__
            while at is not None and at.tb_next is not None:
                at = at.tb_next
            where = f"{Path(at.tb_frame.f_code.co_filename).name}:{at.tb_lineno}" if at else ""
            self._findings.setdefault(f"{type(error).__name__} at {where}: {error}"[:200], raw)
        spent = process_time() - began
        self._slowest = max(self._slowest, spent)
        if spent > SLOW:
            self._findings.setdefault("an input that takes a second", raw)
        if time() > self._until:
            self._end()

    def _end(self) -> None:
        kept = [file.read_bytes() for file in sorted((self._into / "corpus").iterdir())]
        for n, raw in enumerate(self._findings.values()):
            (self._into / f"finding-{n:03d}").write_bytes(raw)
        told = {
            "inputs": self._inputs,
            "kept": len(kept),
            "findings": list(self._findings),
            "slowest_ms": round(1e3 * self._slowest, 1),
            "grown": round(self._grown(kept), 2),
        }
        (self._into / "told.json").write_bytes(msgspec.json.encode(told))
        os._exit(0)  # libFuzzer ends by no other way

    def _grown(self, kept: Sequence[bytes]) -> float:
        """MB that the process grows by while it parses the same again and again."""
        sizes = []
        for _ in range(ROUNDS):
            for raw in kept[:REPLAYED]:
                try:
                    tried(self._name, raw)
                except Exception:  # noqa: BLE001, S112  written down already
                    continue
            sizes.append(resident())
        return sizes[-1] - sizes[ROUNDS // 2 - 1]


def resident() -> float:
    """MB of memory that this process holds."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * 4_096 / 2**20


if __name__ == "__main__":
    main(*sys.argv[1:])
