"""`kill -9` of every process of a site, at random, while clients send: nothing is lost or doubled.

    python bench/crash.py [--kills 50] [--seed 1] [--json]

`palate up` runs; three clients send batches until each is acknowledged, repeat some of them, and
ask for slates. Victims are drawn among all processes: the supervisor (started again at once), the
stream worker, the server and its workers, the join, the trainer. In the end everything is killed
once more, and then: every acknowledged event is in the log, once; `palate rebuild --check` finds
the state equal to the log, byte for byte; every item of every impression is one row of the offline
store, and a store made anew from the log says the same. A fourth client brings users and items and
deletes them again: once the site has run again for a moment, nothing that was acknowledged as
deleted is named in the log, the state, the catalogue, the offline store, the traces or a slate.
Exit code 1 where anything is not so.
"""

import argparse
import json
import os
import signal
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from time import perf_counter, sleep, time
from typing import Any

import msgspec
import numpy as np
import polars as pl
from living.deleter import Deleter
from living.sender import Sender
from living.site import build, rows_of
from living.up import Up, free_port, palate, up
from load.ran import ran

from palate.catalog.user import session_key, user_key
from palate.cli.output import console
from palate.events.kinds import Kind
from palate.events.sqlite import SqliteLog
from palate.serving.forgetting import PREFIX
from palate.settings import Settings
from palate.stores import open_online, open_sources

ROLES = ("supervisor", "stream", "serve", "attribute", "train")
ITEMS, SENDERS, WORKERS = 200, 3, 2
DELETED = ("shown_after_deletion", "named_after_deletion")
PATIENCE = 60.0
"""Seconds for the deletions that were broken off."""
COLUMNS = ("log_position", "item_id", "place", "user", "click_after", "view_after", "acts", "taken")


def main(arguments: Sequence[str]) -> None:
    """Run it, print what was seen; exit code 1 where a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="palate-crash-") as folder:
        seen = run(Path(folder) / "site", wanted.kills, wanted.seed)
    told = ran("crash", arguments) | seen
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
        deleter = stack.enter_context(Deleter(f"http://127.0.0.1:{port}", ITEMS))
        killed = killing(home, port, kills, np.random.default_rng(seed), pause)
    clients: list[Sender | Deleter] = [*senders, deleter]
    acknowledged = [name for client in clients for name in client.acknowledged]
    finished(home, port)
    told = {
        "kills": kills,
        "killed": dict(killed),
        "seconds": round(perf_counter() - started, 1),
        "acknowledged": len(acknowledged),
        "slates": sum(sender.answers for sender in senders),
        "wrong_answers": [wrong for client in clients for wrong in client.wrong][:5],
        "users_deleted": len(deleter.users),
        "items_deleted": len(deleter.doomed),
        "shown_after_deletion": deleter.shown[:5],
        **examined(home, acknowledged),
        "named_after_deletion": named(home, deleter),
    }
    good = ("lost", "doubled", "rows_missing", "rows_doubled", "rows_different", *DELETED)
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


def finished(home: Path, port: int) -> None:
    """Let the site finish the deletions that were broken off, then end it."""
    with up(home, WORKERS, port) as site:
        site.wait()
        until, log = perf_counter() + PATIENCE, SqliteLog(home / "events.db")
        while perf_counter() < until and any(not u.startswith(PREFIX) for u, _ in log.forgets()):
            sleep(0.2)
        log.close()


def named(home: Path, deleter: Deleter) -> dict[str, int]:
    """Where what was deleted is still named; {} where nowhere."""
    users, settings = set(deleter.users), Settings(home=home)
    sessions = {f"left-{user.removeprefix('gone-')}" for user in users}
    keys = [*map(user_key, users), *map(session_key, sessions)]
    with open_sources(settings) as sources, closing(open_online(settings)) as online:
        held = [each is not None for each in online.users(keys)]
        found = {
            "log": sum(
                event.user_id in users or event.session_id in sessions
                for event in rows_of(sources.log)
            ),
            "state": sum(held),
            "profiles": sum(each is not None for each in sources.users.find(sorted(users))),
            "items": sum(each is not None for each in sources.items.find(deleter.doomed)),
        }
    rows = pl.concat([pl.read_parquet(file, columns=["user"]) for file in _files(home)])
    found["offline"] = rows.filter(pl.col("user").is_in(keys)).height
    visitors = {f"user:{each}" for each in users} | {f"session:{each}" for each in sessions}
    with closing(sqlite3.connect(home / "traces.db")) as traces:
        seen = [visitor for (visitor,) in traces.execute("select visitor from trace")]
    found["traces"] = sum(visitor in visitors for visitor in seen)
    return {place: count for place, count in found.items() if count}


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
        "rows_different": int(not _without_names(kept).equals(_without_names(again))),
    }


def _without_names(rows: pl.DataFrame) -> pl.DataFrame:
    """Users by their first row: who was deleted has a new key each time that a store is made."""
    first = pl.col("log_position").min().over("user")
    return rows.with_columns(user=first).sort("log_position", "place")


def _rows(home: Path, *arguments: str) -> pl.DataFrame:
    done = palate("attribute", "--site", str(home), *arguments)
    if done.returncode:
        raise RuntimeError(done.stderr)
    frames = [pl.read_parquet(file, columns=list(COLUMNS)) for file in _files(home)]
    return pl.concat(frames).sort("log_position", "place")


def _files(home: Path) -> list[Path]:
    return sorted((home / "offline" / "shown").glob("*/*.parquet"))


if __name__ == "__main__":
    main(sys.argv[1:])
