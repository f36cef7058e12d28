"""`kill -9` of every process of a site, at random, while clients send: nothing is lost or doubled.

    python bench/crash.py [--kills 50] [--seed 1] [--json]

`palate up` runs; three clients send batches until each is acknowledged, repeat some of them, and
ask for slates. Victims are drawn among all processes: the supervisor (started again at once), the
stream worker, the server and its workers, the join, the trainer. In the end everything is killed
once more, and then: every acknowledged event is in the log, once; `palate rebuild --check` finds
the state equal to the log, byte for byte; every item of every impression is one row of the offline
store, and a store made anew from the log says the same. Exit code 1 where anything is not so.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from time import perf_counter, sleep, strftime, time
from typing import Any

import msgspec
import numpy as np
import polars as pl
from living.sender import Sender
from living.site import build, rows_of
from living.up import Up, free_port, palate, up

from palate.cli.output import console
from palate.events.kinds import Kind
from palate.events.sqlite import SqliteLog

ROLES = ("supervisor", "stream", "serve", "attribute", "train")
ITEMS, SENDERS, WORKERS = 200, 3, 2
COLUMNS = ("log_position", "item_id", "place", "user", "click_after", "view_after", "acts", "taken")


def main(arguments: Sequence[str]) -> None:
    """Run it, print what was seen; exit code 1 where a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args(arguments)
    facts = {"cores": os.cpu_count(), "load": os.getloadavg()[0], "python": sys.version.split()[0]}
    with tempfile.TemporaryDirectory(prefix="palate-crash-") as folder:
        seen = run(Path(folder) / "site", wanted.kills, wanted.seed)
    told = {
        "machine": facts,
        "date": strftime("%Y-%m-%d"),
        "command": " ".join(["bench/crash.py", *arguments]),
        **seen,
    }
    print(msgspec.json.format(msgspec.json.encode(told), indent=2).decode())
    sys.exit(0 if told["kept"] else 1)


def run(home: Path, kills: int, seed: int, pause: float = 2.0) -> dict[str, Any]:
    """Kill so many processes, at most `pause` seconds apart; what was found afterwards."""
    build(home, ITEMS, 1_000, time())
    started, port = perf_counter(), free_port()
    with ExitStack() as stack:
        senders = [
            stack.enter_context(Sender(f"http://127.0.0.1:{port}", f"client{n}", ITEMS))
            for n in range(SENDERS)
        ]
        killed = killing(home, port, kills, np.random.default_rng(seed), pause)
    acknowledged = [name for sender in senders for name in sender.acknowledged]
    told = {
        "kills": kills,
        "killed": dict(killed),
        "seconds": round(perf_counter() - started, 1),
        "acknowledged": len(acknowledged),
        "slates": sum(sender.answers for sender in senders),
        "wrong_answers": [wrong for sender in senders for wrong in sender.wrong][:5],
        **examined(home, acknowledged),
    }
    good = ("lost", "doubled", "rows_missing", "rows_doubled", "rows_different")
    told["kept"] = told["equal"] and not told["wrong_answers"] and not any(told[n] for n in good)
    return told


def killing(
    home: Path, port: int, kills: int, dice: np.random.Generator, pause: float
) -> Counter[str]:
    """Kill, and let live in between; with the last kill everything is down."""
    killed: Counter[str] = Counter()
    while killed.total() < kills:
        with up(home, WORKERS, port) as site:
            site.wait(folded=False)
            while killed.total() < kills:
                sleep(float(dice.uniform(0.05, pause)))
                victim = str(dice.choice(ROLES))
                if victim == "supervisor" or killed.total() == kills - 1:
                    killed["supervisor"] += 1
                    site.kill()
                    break
                killed[victim] += _shot(site, victim, dice)
            console.print(f"{killed.total()} of {kills}: {dict(killed)}")
    return killed


def _shot(site: Up, role: str, dice: np.random.Generator) -> int:
    """Kill one process of a role; 0 where none lives just now."""
    alive = site.role(role)
    if not alive:
        return 0
    with suppress(ProcessLookupError):
        os.kill(int(dice.choice(alive)), signal.SIGKILL)
        return 1
    return 0


def examined(home: Path, acknowledged: Sequence[str]) -> dict[str, Any]:
    """What is on the disk, against what was acknowledged."""
    log = SqliteLog(home / "events.db")
    events = list(rows_of(log))
    log.close()
    stored = Counter(event.event_id for event in events)
    shown = sum(len(e.items) for e in events if e.kind is Kind.IMPRESSION and not e.reports)
    palate("stream", "--once", "--site", str(home))
    check = palate("rebuild", "--check", "--json", "--site", str(home))
    return {
        "logged": len(events),
        "lost": sum(name not in stored for name in acknowledged),
        "doubled": sum(times > 1 for times in stored.values()),
        "equal": check.returncode == 0,
        "rebuild": json.loads(check.stdout) if check.stdout else check.stderr,
        **_offline(home, shown),
    }


def _offline(home: Path, shown: int) -> dict[str, Any]:
    """The offline store against the log, and against itself made anew."""
    kept = _rows(home)
    again = _rows(home, "--anew")
    return {
        "rows": len(kept),
        "rows_missing": abs(shown - len(kept)),
        "rows_doubled": len(kept) - len(kept.unique(["log_position", "place"])),
        "rows_different": int(not kept.equals(again)),
    }


def _rows(home: Path, *arguments: str) -> pl.DataFrame:
    done = palate("attribute", "--site", str(home), *arguments)
    if done.returncode:
        raise RuntimeError(done.stderr)
    files = sorted((home / "offline" / "shown").glob("*/*.parquet"))
    frames = [pl.read_parquet(file, columns=list(COLUMNS)) for file in files]
    return pl.concat(frames).sort("log_position", "place")


if __name__ == "__main__":
    main(sys.argv[1:])
