"""How fast the page reacts: 100 tries from an event to a slate that only it can have caused."""

from collections.abc import Callable
from time import perf_counter

from palate.testing.demo.visit import Check, Visit, ids, named, percentile, until

TRIES, PATIENCE, PROMISE_MS = 100, 5.0, 1_000.0


def reactions(visit: Visit, users: list[str]) -> tuple[list[float], list[str]]:
    """Milliseconds from sending an event to the first changed slate, and the tries that failed."""
    took: list[float] = []
    lost: list[str] = []
    for number in range(TRIES):
        user = users[number // 2 % len(users)]
        waited = _newcomer(visit, number) if number % 2 == 0 else _regular(visit, user)
        if waited is None:
            lost.append(f"try {number}")
        took.append(PATIENCE * 1e3 if waited is None else waited * 1e3)
    return took, lost


def reacted(took: list[float], lost: list[str]) -> Check:
    """99 of 100 within a second."""
    p50, p99 = percentile(took, 0.5), percentile(took, 0.99)
    saw = f"p50 {p50:.0f} ms, p99 {p99:.0f} ms of {len(took)} tries"
    if lost:
        saw += f"; no reaction in {PATIENCE:.0f} s: {', '.join(lost[:5])}"
    return Check("an event changes the slate within 1,000 ms (p99 of 100)", p99 <= PROMISE_MS, saw)


def _newcomer(visit: Visit, number: int) -> float | None:
    """A visitor nobody knows clicks; the reasons name the film."""
    who = {"session_id": f"check-newcomer-{number}"}
    page = visit.slate(**who, limit=20)
    entry = page["items"][number % min(10, len(page["items"]))]
    started = perf_counter()
    visit.send(
        {
            **who,
            "kind": "click",
            "item_id": entry["item_id"],
            "recommendation_id": page["recommendation_id"],
            "position": entry["position"],
            "surface": "home",
        }
    )
    return _until(started, lambda: entry["item_id"] in named(visit.slate(**who, limit=20)))


def _regular(visit: Visit, user: str) -> float | None:
    """A user with a history has watched the first film of the page; it goes."""
    page = visit.slate(user_id=user, limit=20)
    entry = next(e for e in page["items"] if not e["explore"])
    started = perf_counter()
    visit.send({"user_id": user, "kind": "view", "item_id": entry["item_id"], "value": 1.0})
    return _until(started, lambda: entry["item_id"] not in ids(visit.slate(user_id=user, limit=20)))


def _until(started: float, seen: Callable[[], bool]) -> float | None:
    return None if until(seen, PATIENCE) is None else perf_counter() - started
