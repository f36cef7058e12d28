"""A cell: one model (or release) on one data set under one protocol, in its own process."""

import hashlib
import os
import resource
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from compared.answers import keep
from compared.lists import searched
from compared.newcomers import newcomers
from compared.ours import COVISIT, released
from compared.peers import PEERS, Peer
from compared.questions import Asked, asked
from compared.sasrec import SEQUENCES
from compared.sets import SETS, DataSet, site
from palate.arrays import Rows
from palate.evaluation.judging import CUT, Bench
from palate.evaluation.metrics import ndcg
from palate.evaluation.slates import Slates
from palate.evaluation.split import Protocol

HERE = Path(__file__).parent
SOURCE = HERE.parents[1] / "src" / "palate"
RELEASE = "release"
"""Not one model but all that a release serves: the towers, the generators, fusion, the funnel."""
COUNTED = {**PEERS, **SEQUENCES, COVISIT.name: COVISIT}
RANDOM = frozenset({RELEASE, "iALS (implicit)", *SEQUENCES})
"""What is run with several seeds."""
TRAINED: dict[Protocol, dict[str, Any]] = {"loo": {"horizon": 1}, "time": {}}
"""Where a release is trained otherwise than by default: asked for the next, it learns the next."""


class Cell(NamedTuple):
    """What is to be measured."""

    data: str
    protocol: Protocol
    model: str
    seed: int
    training: str = ""
    """Of a release: settings of ``[training]`` that differ, ``name=value,name=value``; ``tuned`` is
    for how many tries co-visitation was tuned before."""

    def changes(self) -> dict[str, Any]:
        """What a release is trained with that is not the default."""
        pairs = (each.partition("=") for each in self.training.split(",") if each)
        return {**TRAINED[self.protocol], **{name: value for name, _, value in pairs}}

    def key(self) -> str:
        """Names the cell and the code that it runs: another version is another cell."""
        ours = self.model in (COVISIT.name, RELEASE)
        code = [SOURCE] if ours else [SOURCE / "evaluation"]
        read = ("ours", "lists", "questions") if ours else ("peers", "lists", "questions")
        code += [HERE / f"{name}.py" for name in read]
        code += [HERE / "sasrec.py"] if self.model in SEQUENCES else []
        told = f"/{self.training}" if self.training else ""
        return f"{self.data}/{self.protocol}/{self.model}/{self.seed}/{_version(code)}{told}"


def cells(
    data: DataSet, protocol: Protocol, seeds: Sequence[int], training: str = ""
) -> Iterator[Cell]:
    """Everything there is to measure on a data set."""
    for name, peer in COUNTED.items():
        if not (peer.timed and data.plain):
            for seed in seeds if name in RANDOM else (seeds[0],):
                yield Cell(data.name, protocol, name, seed)
    for seed in seeds:
        yield Cell(data.name, protocol, RELEASE, seed, training)


def measured(cell: Cell, source: Path, work: Path) -> list[dict[str, Any]]:
    """Run a cell here and now; a row per model and slice.

    What each user was given is kept below `work`, for comparisons in pairs.
    """
    key = cell.key()
    with tempfile.TemporaryDirectory() as folder:
        rows = list(_rows(cell, source, work, Path(folder)))
    for row in rows:
        keep(work, key, str(row["slice"]), str(row["model"]), row.pop("by_user"))
    shared = {
        "key": key,
        **cell._asdict(),
        "load": round(os.getloadavg()[0], 1),
        "commit": _commit(),
    }
    return [shared | row for row in rows]


def _peak() -> float:
    """Megabytes that this process held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _rows(cell: Cell, source: Path, work: Path, folder: Path) -> Iterator[dict[str, Any]]:
    with site(SETS[cell.data], source, work) as stores:
        if cell.model == RELEASE:
            for name, lists, bench, spent in released(
                stores, cell.protocol, cell.seed, cell.changes()
            ):
                spent["megabytes"] = round(_peak())
                yield from ({**row, **spent} for row in _judged(bench, name, lists))
        else:
            questions = asked(stores, cell.protocol, cell.seed, folder)
            yield from _of_peer(_seeded(COUNTED[cell.model], cell.seed), cell, questions)


def _of_peer(peer: Peer, cell: Cell, questions: Asked) -> Iterator[dict[str, Any]]:
    parts = sorted({case.part for case in questions.test.cases}, reverse=True)
    for part, found in searched(peer, questions, parts):
        bench = Bench(questions.test.of(part), questions.bench.world, cell.seed)
        for row in _judged(bench, peer.name, found.lists):
            if row["slice"] == part:
                yield {
                    **row,
                    "settings": found.settings,
                    "validation": found.tuning,
                    "trials": peer.trials,
                    "fit_seconds": round(found.fit_seconds, 2),
                    "ask_seconds": round(found.ask_seconds, 2),
                    "seconds": round(found.seconds, 1),
                    "megabytes": round(_peak()),
                }


def _seeded(peer: Peer, seed: int) -> Peer:
    if peer.name not in RANDOM:
        return peer
    return replace(peer, grid=tuple({**each, "seed": seed} for each in peer.grid))


def _judged(bench: Bench, name: str, lists: Sequence[Rows]) -> Iterator[dict[str, Any]]:
    """A row per slice; where there is but one, it is not told twice. With N@10 `by_user`."""
    rows = {str(row["slice"]): row for row in bench.rows(name, lists)}
    if len(rows) > 1:
        rows.pop("all", None)
    relevant = [case.relevant for case in bench.cases]
    reached = ndcg.measure(Slates.judge(lists, relevant, bench.world), CUT)
    for part, row in rows.items():
        which = [at for at, case in enumerate(bench.cases) if part in (case.part, "all")]
        asked = [lists[at] for at in which], [relevant[at] for at in which]
        yield {**row, **newcomers(*asked, bench.world), "by_user": reached[which]}


def _version(code: Sequence[Path]) -> str:
    """A digest of the source files."""
    digest = hashlib.blake2b(digest_size=6)
    for folder in code:
        for file in [folder] if folder.is_file() else sorted(folder.rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _commit() -> str:
    told = subprocess.run(
        ["git", "describe", "--always", "--dirty"],  # noqa: S607  whichever git is there
        cwd=HERE, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return told.stdout.strip() or "unknown"
