"""Why one item stood where it stood: a trace, told for one item."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from palate.console.api import Json
from palate.console.cards import title_and_year
from palate.errors import NotFound

GENERATORS = {
    "covisit": "watched next to what you watched",
    "linear": "what all you ever took in speaks for",
    "ials": "what goes with the taste that explains all you took in",
    "two_tower": "near to you in the learnt space",
    "content": "described like what you took in",
    "trending": "on the rise now",
    "popular": "what most people take in these days",
    "popular_in_genre": "the best of the genres you keep to",
    "popular_in_segment": "what people like you take in",
    "popular_in_region": "what people around you take in",
    "followed": "from the makers you follow, or liked",
    "fresh": "new, nearest to your taste first",
    "anything": "by lot, so that everything gets its chance",
}
"""What each generator looks for; one that is not here goes by its name."""
MOST_FEATURES = 8


@dataclass(frozen=True, slots=True)
class Story:
    """What the why-panel prints; the tables are rows of text."""

    title: str
    sentence: str
    path: tuple[tuple[str, str], ...]
    """(number, what it counts), in the order of the funnel."""
    found_by: tuple[tuple[str, str, int, str], ...]
    """Generator, what it looks for, rank, score."""
    score: str
    heads: tuple[tuple[str, str, float], ...]
    """What the ranker expects: name, percent, probability."""
    features: tuple[tuple[str, str, str], ...]
    """Name, value, contribution."""
    rules: tuple[str, ...]
    """What the rules did with it, a sentence each."""
    removed: tuple[tuple[str, int], ...]
    stages: tuple[tuple[str, int, int, str], ...]
    remarks: tuple[str, ...]
    total: str
    release: str
    recommendation_id: str


def story(trace: Json, item_id: str, nouns: str = "items") -> Story:
    """Tell `trace` for one item. Raises NotFound where the item was not in that slate."""
    item = next((e for e in trace["items"] if e["item_id"] == item_id), None)
    if item is None:
        raise NotFound(f"item {item_id!r} was not in recommendation {trace['recommendation_id']!r}")
    return Story(
        title=title_and_year({"item_id": item_id, "title": item.get("title")})[0],
        sentence=str(item["reason"]["text"]),
        path=_path(trace, item, nouns),
        found_by=tuple(
            (
                _words(f["generator"]),
                GENERATORS.get(f["generator"], ""),
                f["rank"],
                _number(f["score"]),
            )
            for f in item["found_by"]
        ),
        score=_number(item.get("ranker_score")),
        heads=tuple((_words(n), f"{p:.1%}", float(p)) for n, p in item.get("heads", {}).items()),
        features=_features(item.get("features", ())),
        rules=_rules(item),
        removed=tuple((_words(name), count) for name, count in trace.get("removed", {}).items()),
        stages=tuple(
            (_words(s["name"]), s["entered"], s["left"], f"{s['ms']:.2f}") for s in trace["stages"]
        ),
        remarks=(*trace.get("remarks", ()), *_skipped(trace)),
        total=f"{trace['total_ms']:.1f}",
        release=str(trace["release"]),
        recommendation_id=str(trace["recommendation_id"]),
    )


def _path(trace: Json, item: Json, nouns: str) -> tuple[tuple[str, str], ...]:
    steps = [
        (str(trace["candidates"]), f"{nouns} were proposed for this page"),
        (str(len(item["found_by"])), "generators proposed this one"),
    ]
    if item.get("ranker_rank"):
        steps.append((f"#{item['ranker_rank']}", "after ranking, before the rules"))
    return (*steps, (f"#{item['position']}", "where you saw it"))


def _features(features: Sequence[Json]) -> tuple[tuple[str, str, str], ...]:
    known = [f for f in features if f.get("contribution") is not None]
    return tuple(
        (_words(f["name"]), _number(f["value"]), f"{f['contribution']:+.4f}")
        for f in known[:MOST_FEATURES]
    )


def _rules(item: Json) -> tuple[str, ...]:
    said = []
    for move in item.get("rules", ()):
        way = "up" if move["after"] < move["before"] else "down"
        said.append(
            f"{_words(move['rule'])} moved it {way}, from {move['before']} to {move['after']}"
        )
    if item.get("explore"):
        said.append(
            f"It got this slot by chance, in order to learn (probability {item['propensity']:.3f})"
        )
    return tuple(said or ("No rule moved it",))


def _skipped(trace: Json) -> tuple[str, ...]:
    return tuple(f"{_words(n)} was skipped: {why}" for n, why in trace.get("skipped", {}).items())


def _words(name: str) -> str:
    """`filter.hide_seen` -> "filter: hide seen"."""
    return name.replace(".", ": ").replace("_", " ")


def _number(value: Any) -> str:
    return "" if value is None else f"{float(value):.4g}"
