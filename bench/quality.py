"""Measure quality: ours as it serves beside counted baselines and peers, on real data.

    python bench/quality.py                                  everything that is not measured yet
    python bench/quality.py --data beauty --protocol loo --only "covisit tuned" --only EASE
    python bench/quality.py --quick                          ML-100K by time, one seed
    python bench/quality.py --pair                           ours against each peer, user by user
    python bench/quality.py --write                          only the tables and the picture

Data sets are read from $PALATE_DATA, else ../shared/data. Every cell (a model on a data set under
a protocol with a seed) runs in a process of its own; its rows are appended to the results file
with time, memory, settings and commit. What was measured by the same code is not run again.
`--write` puts the newest numbers of each into `docs/quality.md` and `docs/images/quality.svg`; what
is measured into another results file stays out of these.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from compared import ledger
from compared.answers import pairs
from compared.cells import COUNTED, RELEASE, Cell, cells, measured
from compared.chart import chart
from compared.ours import TUNED
from compared.peers import PEERS
from compared.sasrec import SEQUENCES
from compared.sets import SETS, files, there
from compared.tables import write
from threadpoolctl import threadpool_limits

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "quality.jsonl"
PAGE, PICTURE = ROOT / "docs" / "quality.md", ROOT / "docs" / "images" / "quality.svg"
SEEDS = (1, 2, 3)
SHOWN = ("recall@10", "ndcg@10", "next_recall@10", "recall@500", "coverage@10")


def main(arguments: Sequence[str]) -> None:
    """Run what is wanted and not yet measured, a line a row."""
    wanted = _parsed(arguments)
    if wanted.cell:
        cell = Cell(**msgspec.json.decode(wanted.cell))
        with threadpool_limits(1):
            rows = measured(cell, wanted.source, wanted.work)
        print(msgspec.json.encode(rows).decode())
        return
    if not (wanted.write or wanted.pair):
        _run(wanted)
    lines = ledger.read(wanted.results)
    found = ledger.summaries(lines)
    if wanted.pair:
        made = list(pairs(wanted.work, found, (*PEERS, *SEQUENCES)))
        ledger.append(wanted.results, made)
        lines += made
        print(f"{len(made)} comparisons in pairs")
    if not wanted.quick and wanted.results.resolve() == RESULTS:
        write(PAGE, found, ledger.compared(lines))
        PICTURE.write_text(chart(found), "utf-8")


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", action="append", choices=sorted(SETS), help="may repeat")
    parser.add_argument("--protocol", action="append", choices=("loo", "time"), help="may repeat")
    parser.add_argument("--only", action="append", choices=(*COUNTED, RELEASE), help="may repeat")
    parser.add_argument("--seeds", type=int, default=len(SEEDS), help="how many")
    parser.add_argument("--quick", action="store_true", help="ML-100K by time, one seed, no pages")
    parser.add_argument("--pair", action="store_true", help="measure nothing, compare in pairs")
    parser.add_argument("--write", action="store_true", help="measure nothing, write the pages")
    parser.add_argument(
        "--training",
        action="append",
        metavar="NAME=VALUE",
        help="train releases with this setting of [training]; may repeat",
    )
    parser.add_argument(
        "--tuned",
        type=int,
        default=0,
        metavar="TRIES",
        help="tune co-visitation inside train before a release is trained",
    )
    parser.add_argument("--again", action="store_true", help="also what was measured already")
    parser.add_argument("--work", type=Path, default=Path.home() / ".cache/palate/bench")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--cell", help=argparse.SUPPRESS)
    parser.add_argument("--source", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _run(wanted: argparse.Namespace) -> None:
    source = files(ROOT.parent / "shared" / "data")
    if source is None:
        print("There are no data sets: name their folder with PALATE_DATA; nothing is measured.")
        return
    done = ledger.measured(ledger.read(wanted.results))
    for cell in _wanted(wanted, source):
        if wanted.again or cell.key() not in done:
            rows = _apart(cell, source, wanted.work)
            ledger.append(wanted.results, rows)
            for row in rows:
                print(_line(row), flush=True)


def _wanted(wanted: argparse.Namespace, source: Path) -> Iterator[Cell]:
    names = ["ml-100k"] if wanted.quick else wanted.data or list(SETS)
    protocols = ["time"] if wanted.quick else wanted.protocol or ["loo", "time"]
    seeds = SEEDS[: 1 if wanted.quick else wanted.seeds]
    for name in names:
        if not there(SETS[name], source):
            print(f"{name}: no folder {SETS[name].folder} below {source}; left out")
            continue
        for protocol in SETS[name].protocols:
            if protocol in protocols:
                tuned = [f"{TUNED}={wanted.tuned}"] if wanted.tuned else []
                how = ",".join([*tuned, *(wanted.training or ())])
                every = cells(SETS[name], protocol, seeds, how)
                yield from (c for c in every if not wanted.only or c.model in wanted.only)


def _apart(cell: Cell, source: Path, work: Path) -> list[dict[str, Any]]:
    """Measure in a process of its own, so that its peak of memory is its own."""
    told = msgspec.json.encode(cell._asdict()).decode()
    options = ["--cell", told, "--source", str(source), "--work", str(work)]
    command = [sys.executable, str(Path(__file__).resolve()), *options]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603  ourselves
    if done.returncode:
        print(f"{cell}: failed with exit code {done.returncode}", flush=True)
        return []
    rows: list[dict[str, Any]] = msgspec.json.decode(done.stdout.splitlines()[-1])
    return rows


def _line(row: dict[str, Any]) -> str:
    where = f"{row['data']:15} {row['protocol']:4} {row['slice']:4} {row['model']:20}"
    numbers = " ".join(f"{name} {row[name]:.4f}" for name in SHOWN if name in row)
    return f"{where} seed {row['seed']} {numbers} {row['seconds']:.0f} s {row['megabytes']} MB"


if __name__ == "__main__":
    main(sys.argv[1:])
