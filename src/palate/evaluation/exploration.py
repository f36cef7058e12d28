"""What exploration cost and what it found, by the log alone: its impressions, and what followed."""

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from palate.events.kinds import Event, Kind, Signal, signals_of
from palate.events.protocol import EventLog, read_log

SURE = 1.645
"""Standard deviations: nineteen in twenty, one-sided."""
TAKING = Signal.CLICKED | Signal.ENGAGED
BECAME = {"graduated": "found", "retired": "retired", "on_trial": "open"}
"""Of a new item, what each verdict means."""
_pool = re.compile(r"^thompson .*\bpool=(\d+)")


class Find(msgspec.Struct, frozen=True, kw_only=True):
    """An item that exploration showed."""

    item_id: str
    shown: int
    """By exploration."""
    taken: int
    since: int
    """Showings in places that were certain, after exploration had shown it first."""
    new: bool
    """Nothing else had shown it before: with the verdict `found` it has graduated."""
    verdict: str
    """`found` (surely better than what stands beside), `retired` (surely worse), `open`."""


class Exploration(msgspec.Struct, frozen=True, kw_only=True):
    """The balance of exploration over a stretch of the log."""

    pages: int
    slots: int
    """Entries of all pages."""
    explored: int
    """Entries that exploration chose."""
    rate: float
    """Share of these that were taken."""
    beside: float
    """The same of the entries right above and below them, on the same pages."""
    cost: float
    """Takings forgone: explored · (beside - rate); below 0 exploration earned some."""
    cost_low: float
    cost_high: float
    """Its interval, nineteen in twenty to each side."""
    takings: int
    """Of all entries."""
    least_propensity: float
    weight: float
    """Mean of 1 / (propensity · pool) over what Thompson sampling drew: 1 where the propensities
    of the log are true."""
    weight_error: float
    """Its standard error."""
    items: int
    """Different items that were explored."""
    new: int
    """Of these, shown by nothing else before."""
    finds: tuple[Find, ...]
    """The most taken first."""

    @property
    def share(self) -> float:
        """Of all entries."""
        return self.explored / self.slots if self.slots else 0.0

    def count(self, verdict: str) -> int:
        """How many items got this verdict."""
        return sum(each.verdict == verdict for each in self.finds)

    def trials(self) -> dict[str, int]:
        """What became of the new items: how many graduated, were retired, are on trial still."""
        told = [each.verdict for each in self.finds if each.new]
        return {name: told.count(verdict) for name, verdict in BECAME.items()}


@dataclass(slots=True)
class _Entry:
    """One item on one page."""

    time: float
    item: str
    explore: bool
    weight: float
    """1 / (propensity · pool); NaN where the page does not tell its pool."""
    propensity: float
    taken: bool = False


@dataclass(slots=True)
class _Reading:
    """The log, read once."""

    pages: list[list[_Entry]] = field(default_factory=list)
    shown: dict[tuple[str, str], list[_Entry]] = field(default_factory=lambda: defaultdict(list))
    """By actor and item, in order of time once read."""
    acts: list[tuple[float, str, str]] = field(default_factory=list)


def exploration(log: EventLog, since: float, window: float) -> Exploration:
    """Read the pages shown from `since` on; an act within `window` seconds is their outcome."""
    read = _read(log, since)
    _attribute(read, window)
    entries = [each for page in read.pages for each in page]
    explored = [each for each in entries if each.explore]
    beside = [each for page in read.pages for each in _beside(page)]
    rate, other = _rate(explored), _rate(beside)
    cost, error = len(explored) * (other - rate), _error(explored, beside)
    weights = np.array([each.weight for each in explored if each.weight == each.weight])
    return Exploration(
        pages=len(read.pages),
        slots=len(entries),
        explored=len(explored),
        rate=rate,
        beside=other,
        cost=cost,
        cost_low=cost - SURE * error,
        cost_high=cost + SURE * error,
        takings=sum(each.taken for each in entries),
        least_propensity=min((each.propensity for each in explored), default=1.0),
        weight=float(weights.mean()) if len(weights) else 1.0,
        weight_error=float(weights.std() / np.sqrt(len(weights))) if len(weights) else 0.0,
        items=len({each.item for each in explored}),
        new=sum(each.explore for each in _firsts(entries).values()),
        finds=_finds(entries, other),
    )


def _read(log: EventLog, since: float) -> _Reading:
    read = _Reading()
    for event in (each.event for part in read_log(log) for each in part):
        actor = event.user_id or event.session_id
        if event.reports:
            continue
        if event.kind is Kind.IMPRESSION:
            if event.items and event.time >= since:
                _page(read, actor, event)
        elif event.item_id and _takes(event):
            read.acts.append((event.time, actor, event.item_id))
    for several in read.shown.values():
        several.sort(key=lambda each: each.time)
    return read


def _takes(event: Event) -> bool:
    signal = signals_of(event.kind, event.value)
    return bool(signal & TAKING) and Signal.TOLD not in signal


def _page(read: _Reading, actor: str, event: Event) -> None:
    told = _pool.search(str(event.context.get("policy", "")))
    page = []
    for item in sorted(event.items, key=lambda each: each.position):
        weight = 1.0 / (item.propensity * int(told[1])) if told else float("nan")
        page.append(_Entry(event.time, item.item_id, item.explore, weight, item.propensity))
        read.shown[actor, item.item_id].append(page[-1])
    read.pages.append(page)


def _attribute(read: _Reading, window: float) -> None:
    """Every act is the outcome of the last showing before it."""
    for time, actor, item in read.acts:
        several = read.shown.get((actor, item), [])
        at = bisect_right(several, time, key=lambda each: each.time) - 1
        if at >= 0 and time - several[at].time <= window:
            several[at].taken = True


def _beside(page: Sequence[_Entry]) -> Iterator[_Entry]:
    """What stands right above and below an explored entry and is none."""
    for at, each in enumerate(page):
        near = page[max(0, at - 1) : at + 2]
        if not each.explore and any(other.explore for other in near):
            yield each


def _rate(entries: Sequence[_Entry]) -> float:
    return sum(each.taken for each in entries) / len(entries) if entries else 0.0


def _error(explored: Sequence[_Entry], beside: Sequence[_Entry]) -> float:
    """Standard error of the cost."""
    parts = [r * (1 - r) / max(len(e), 1) for e in (explored, beside) for r in (_rate(e),)]
    return len(explored) * float(np.sqrt(sum(parts)))


def _firsts(entries: Sequence[_Entry]) -> dict[str, _Entry]:
    """By item, its first showing."""
    first: dict[str, _Entry] = {}
    for each in sorted(entries, key=lambda entry: entry.time):
        first.setdefault(each.item, each)
    return first


def _finds(entries: Sequence[_Entry], bar: float) -> tuple[Find, ...]:
    by_item: dict[str, list[_Entry]] = defaultdict(list)
    firsts = _firsts(entries)
    for each in entries:
        by_item[each.item].append(each)
    found = []
    for item, several in by_item.items():
        explored = [each for each in several if each.explore]
        if explored:
            began = min(each.time for each in explored)
            taken = sum(each.taken for each in explored)
            since = sum(not each.explore and each.time > began for each in several)
            verdict = _verdict(taken, len(explored), bar)
            found.append(
                Find(
                    item_id=item,
                    shown=len(explored),
                    taken=taken,
                    since=since,
                    new=firsts[item].explore,
                    verdict=verdict,
                )
            )
    return tuple(sorted(found, key=lambda each: (-each.taken, each.shown, each.item_id)))


def _verdict(taken: int, shown: int, bar: float) -> str:
    """By Wilson's interval (1927) for the rate."""
    square = SURE * SURE
    middle = (taken + square / 2) / (shown + square)
    half = SURE * np.sqrt(taken * (shown - taken) / shown + square / 4) / (shown + square)
    if middle - half > bar:
        return "found"
    return "retired" if middle + half < bar else "open"
