"""Why one item stood where it stood: a trace, told for one item, first in words, then in full."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from palate.console import words
from palate.console.api import Json
from palate.console.cards import title_and_year
from palate.console.shelves import BECAUSE, MORE
from palate.errors import NotFound
from palate.settings import SiteSettings

SMALL = 0.01
"""A part of less than so much is told among the details alone."""
TINY, LARGE = 1e-4, 100.0
ABOUT_ONE = frozenset({MORE, BECAUSE})
"""Rows about one item."""


class Found(NamedTuple):
    """A generator that proposed the item."""

    label: str
    looks_for: str
    rank: int
    score: str
    name: str


class Share(NamedTuple):
    """Something measured as a part of one: what the ranker expects, or what a feature adds."""

    label: str
    part: float
    says: str
    """The part in percent."""
    name: str
    value: str

    @property
    def small(self) -> bool:
        """Whether it is one for the details."""
        return abs(self.part) < SMALL


@dataclass(frozen=True, slots=True)
class Story:
    """What the why-panel prints."""

    title: str
    sentence: str
    path: tuple[tuple[str, str], ...]
    """(number, what it counts), in the order of the funnel."""
    found_by: tuple[Found, ...]
    score: str
    heads: tuple[Share, ...]
    """What the ranker expects."""
    features: tuple[Share, ...]
    """What the score hangs on, the most important first."""
    rules: tuple[str, ...]
    """What the rules did, a sentence each."""
    stages: tuple[tuple[str, int, int, str], ...]
    remarks: tuple[str, ...]
    total: str
    release: str
    recommendation_id: str


def story(trace: Json, item_id: str, site: SiteSettings) -> Story:
    """Tell `trace` for one item. Raises NotFound where the item was not in that slate."""
    item = next((e for e in trace["items"] if e["item_id"] == item_id), None)
    if item is None:
        raise NotFound(f"item {item_id!r} was not in recommendation {trace['recommendation_id']!r}")
    return Story(
        title=title_and_year({"item_id": item_id, "title": item.get("title")})[0],
        sentence=str(item["reason"]["text"]),
        path=_path(trace, item, site.nouns),
        found_by=tuple(_found(each, trace["surface"]) for each in item["found_by"]),
        score=number(item.get("ranker_score")),
        heads=tuple(
            Share(words.head(name, site.viewed), float(p), percent(p), name, f"{p:.4f}")
            for name, p in item.get("heads", {}).items()
        ),
        features=_features(item.get("features", ()), item.get("ranker_score")),
        rules=(*_moves(item), *_removed(trace.get("removed", {}), site.nouns), *_skipped(trace)),
        stages=tuple(
            (words.spaced(s["name"]), s["entered"], s["left"], f"{s['ms']:.1f}")
            for s in trace["stages"]
        ),
        remarks=tuple(trace.get("remarks", ())),
        total=f"{trace['total_ms']:.0f}",
        release="" if trace["release"] == "none" else str(trace["release"]),
        recommendation_id=str(trace["recommendation_id"]),
    )


def number(value: Any) -> str:
    """A number as people read it.

    >>> number(0.21577855), number(1250.4), number(3.0), number(2e-39), number(None)
    ('0.22', '1,250', '3', '0', '')
    """
    if value is None:
        return ""
    found = float(value)
    if abs(found) < TINY:
        return "0"
    whole = found.is_integer() or abs(found) >= LARGE
    return f"{found:,.0f}" if whole else f"{found:.2g}"


def percent(part: float, sign: str = "") -> str:
    """A part of one in whole percent.

    >>> percent(0.1251), percent(-0.314, "+"), percent(0.002)
    ('13 %', '-31 %', '< 1 %')
    """
    if abs(part) < SMALL:
        return "< 1 %"
    return f"{part * 100:{sign}.0f} %"


def _found(told: Json, surface: str) -> Found:
    label, looks_for = words.generator(told["generator"], beside=surface in ABOUT_ONE)
    return Found(label, looks_for, told["rank"], number(told["score"]), told["generator"])


def _path(trace: Json, item: Json, nouns: str) -> tuple[tuple[str, str], ...]:
    by = len(item["found_by"])
    steps = [
        (f"{trace['candidates']:,}", f"{nouns} were proposed for this page"),
        (str(by), "way found this one" if by == 1 else "ways found this one"),
    ]
    if item.get("ranker_rank"):
        steps.append((f"#{item['ranker_rank']}", "after ranking, before the rules"))
    return (*steps, (f"#{item['position']}", "where you saw it"))


def _features(features: Sequence[Json], score: float | None) -> tuple[Share, ...]:
    """Those whose part in the score is known."""
    known = [f for f in features if f.get("contribution") is not None]
    if not score:
        return ()
    parts = [f["contribution"] / abs(score) for f in known]
    return tuple(
        Share(
            words.feature(f["name"], f.get("meaning", "")),
            part,
            percent(part, "+"),
            f["name"],
            number(f["value"]),
        )
        for f, part in zip(known, parts, strict=True)
    )


def _moves(item: Json) -> tuple[str, ...]:
    said = []
    for move in item.get("rules", ()):
        way = "up" if move["after"] < move["before"] else "down"
        said.append(
            f"{words.rule(move['rule'])} moved it {way}, from {move['before']} to {move['after']}"
        )
    if item.get("explore"):
        chance = percent(item["propensity"])
        said.append(f"It got this place by chance, in order to learn (probability {chance})")
    return tuple(said or ("No rule moved it",))


def _removed(removed: Json, nouns: str) -> tuple[str, ...]:
    counted: Counter[str] = Counter()
    for name, count in removed.items():
        counted[words.removed(name)] += count
    told = ", ".join(f"{count:,} {what}" for what, count in counted.items())
    return (f"Of the {nouns} proposed, these were left out: {told}",) if told else ()


def _skipped(trace: Json) -> tuple[str, ...]:
    skipped = trace.get("skipped", {})
    return tuple(f"{words.spaced(n).capitalize()} was skipped: {why}" for n, why in skipped.items())
