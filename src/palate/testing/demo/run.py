"""The whole check: start the demo, wait for its two moments, visit, press Ctrl-C, start again."""

import socket
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from time import sleep

import httpx
import msgspec

from palate.events.kinds import Kind
from palate.events.sqlite import SqliteLog
from palate.testing.demo.child import Child
from palate.testing.demo.promises import every
from palate.testing.demo.reactions import reacted, reactions
from palate.testing.demo.visit import Check, Visit, percentile

FIRST_SLATE_SECONDS, RELEASE_SECONDS = 30.0, 120.0
GIVE_UP = 60.0
"""Seconds after which a first slate is no longer waited for."""
MANY = 100_000


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen and measured."""

    ok: bool
    first_slate_s: float | None
    release_s: float | None
    event_to_slate_ms: dict[str, float | None]
    checks: list[Check]


def check_demo(say: Callable[[str], None]) -> Outcome:
    """Run `palate demo` in a temporary folder and hold it to what it promises."""
    with TemporaryDirectory(prefix="palate-demo-") as folder:
        site, port = Path(folder) / "site", _free_port()
        child = Child.start(site, port)
        try:
            return _visited(child, site, port, say)
        finally:
            child.end()


def _visited(child: Child, site: Path, port: int, say: Callable[[str], None]) -> Outcome:
    visit = Visit.at(f"http://127.0.0.1:{port}")
    checks: list[Check] = []

    def note(check: Check) -> None:
        checks.append(check)
        say(f"{'ok  ' if check.ok else 'FAIL'} {check.name}: {check.saw}")

    first = _first_slate(child, visit)
    note(_in_time("first slate ≤ 30 s", first, FIRST_SLATE_SECONDS))
    if first is None:
        nothing: dict[str, float | None] = {"p50": None, "p99": None}
        return Outcome(
            ok=False, first_slate_s=None, release_s=None, event_to_slate_ms=nothing, checks=checks
        )
    release, failed = _release(child, visit)
    note(_in_time("a release is promoted ≤ 120 s", release, RELEASE_SECONDS))
    note(_unbroken(release, failed))
    users = visit.users(100)
    took, lost = reactions(visit, users)
    note(reacted(took, lost))
    for check in every(visit, users, _history(site)):
        note(check)
    note(child.interrupt())
    note(_resumed(site, port, say))
    return Outcome(
        ok=all(check.ok for check in checks),
        first_slate_s=_rounded(first),
        release_s=_rounded(release),
        event_to_slate_ms={
            "p50": _rounded(percentile(took, 0.5)),
            "p99": _rounded(percentile(took, 0.99)),
        },
        checks=checks,
    )


def _first_slate(child: Child, visit: Visit) -> float | None:
    while child.alive() and child.seconds < GIVE_UP:
        try:
            if visit.slate(limit=20)["items"]:
                return child.seconds
        except httpx.HTTPError:
            pass
        sleep(0.05)
    return None


def _release(child: Child, visit: Visit) -> tuple[float | None, list[str]]:
    """When a slate first came from a trained release; and every request that failed meanwhile."""
    failed: list[str] = []
    first = visit.slate(limit=20)["release"]
    while child.alive() and child.seconds < RELEASE_SECONDS + 30:
        try:
            slate = visit.slate(limit=20)
            if not slate["items"]:
                failed.append(f"an empty slate after {child.seconds:.1f} s")
            if slate["release"] != first:
                return child.seconds, failed
        except httpx.HTTPError as error:
            failed.append(repr(error))
        sleep(0.1)
    return None, failed


def _unbroken(release: float | None, failed: list[str]) -> Check:
    """No request failed while the release came in; without a release nothing was shown."""
    saw = "; ".join(failed[:3]) or ("none failed" if release else "there was no swap to watch")
    return Check("no request failed during the swap", release is not None and not failed, saw)


def _resumed(site: Path, port: int, say: Callable[[str], None]) -> Check:
    """A second start serves the same history and imports nothing twice."""
    before = _ratings(site)
    say("starting it again")
    child = Child.start(site, port)
    try:
        seconds = _first_slate(child, Visit.at(f"http://127.0.0.1:{port}"))
        child.interrupt()
    finally:
        child.end()
    after = _ratings(site)
    ok = seconds is not None and before == after > 0
    return Check("a second start imports nothing twice", ok, f"{before} ratings, then {after}")


def _history(site: Path) -> dict[str, set[str]]:
    """What every user has rated, as the log has it."""
    seen: dict[str, set[str]] = {}
    for user, item in _rated(site):
        seen.setdefault(user, set()).add(item)
    return seen


def _ratings(site: Path) -> int:
    return len(_rated(site))


def _rated(site: Path) -> list[tuple[str, str]]:
    log = SqliteLog(site / "events.db")
    try:
        found: list[tuple[str, str]] = []
        after = 0
        while batch := log.read(after, MANY):
            after = batch[-1].position
            events = (logged.event for logged in batch)
            found += [(e.user_id, e.item_id) for e in events if e.kind is Kind.RATING]
        return found
    finally:
        log.close()


def _in_time(name: str, seconds: float | None, promise: float) -> Check:
    saw = "never" if seconds is None else f"{seconds:.1f} s"
    return Check(name, seconds is not None and seconds <= promise, saw)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
