"""What may be shown, and what a page has to keep to: by the meaning of the rules, in plain loops.

Nothing of the engine is used. Items, users and rules are dictionaries; an item n is called i<n>.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeAlias

from lawbook.cases import Law, Wish
from lawbook.conditions import Said, may_hold
from lawbook.world import DAY, NOW, World

Json: TypeAlias = dict[str, Any]
Items: TypeAlias = frozenset[int]
YEAR = 2023
SHOWING = frozenset({"trending", "continue_watching"})
"""Surfaces that show what a visitor has had."""
KEPT = 20_000
"""Simple conditions whose answers are remembered."""
ASKED = ("user.country", "user.plan", "user.age", "context.device")
"""What personal conditions ask of a visitor."""
COUNTED = 8
"""Categories of an item that count where a rule is of categories."""
FEW = 300
"""So many eligible items are all candidates on Home: what a page can keep to is known."""


@dataclass
class Oracle:
    """Knows the world by heart."""

    world: World
    _held: dict[tuple[str, tuple[Any, ...]], Items] = field(default_factory=dict)
    _policies: dict[tuple[str, int], Items] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._all = frozenset(range(len(self.world.items)))

    def who(self, wish: Wish) -> dict[str, Any]:
        """What conditions may ask of the visitor."""
        user = self.world.users.get(wish.user, {})
        told = {f"user.{name}": each for name, each in user.get("attributes", {}).items()}
        told |= {f"user.{n}": user[n] for n in ("country", "birth_year") if n in user}
        if "birth_year" in user:
            told["user.age"] = YEAR - user["birth_year"] - 1
        told |= {"user.country": wish.region} if wish.region else {}
        told |= {"user.age": wish.age} if wish.age is not None else {}
        return told | ({"context.device": wish.device} if wish.device else {})

    def acting(self, laws: Sequence[Law], wish: Wish) -> list[Law]:
        """The laws that a request is under, the strongest first."""
        who = self.who(wish)
        return [law for law in laws if _acts(law, wish, who)]

    def eligible(self, laws: Sequence[Law], wish: Wish) -> set[int]:
        """Everything that may be shown."""
        who = self.who(wish)
        region = wish.region or who.get("user.country", "")
        age = who.get("user.age", 0) if wish.age is None else wish.age
        left = set(self.policy(region, age)) - set(wish.exclude) - self._seen(laws, wish)
        if wish.filter:
            left &= self.matching(wish.filter, who)
        if wish.seed >= 0:
            left.discard(wish.seed)
        for law in laws:
            told = law.document
            if told["kind"] == "block":
                left -= {int(name[1:]) for name in told.get("items", ())}
                left -= self.hidden(law.where, who) if law.where else set()
            if told["kind"] == "restrict":
                here = not told.get("regions") or region in told["regions"]
                if law.where and not (here and age >= told.get("min_age", 0)):
                    left -= self.hidden(law.where, who)
        return left

    def policy(self, region: str, age: int) -> Items:
        """What the catalogue lets a visitor of this region and age see."""
        key = (region, age)
        if key not in self._policies:
            self._policies[key] = frozenset(
                n for n, item in enumerate(self.world.items) if _lawful(item, region, age)
            )
        return self._policies[key]

    def matching(self, said: Said, who: Mapping[str, Any]) -> Items:
        """Where a condition holds for this visitor: what it is made of, item by item, once."""
        if said.word == "not":
            return self._all - self.matching(said.parts[0], who)
        if said.word:
            join = frozenset.intersection if said.word == "and" else frozenset.union
            return join(*(self.matching(each, who) for each in said.parts))
        asked = tuple(who.get(name) for name in ASKED) if said.personal else ()
        found = self._held.get((said.text, asked))
        if found is None:
            if len(self._held) > KEPT:
                self._held.clear()
            items = enumerate(self.world.items)
            found = frozenset(n for n, item in items if said.holds(item, who))
            self._held[said.text, asked] = found
        return found

    def hidden(self, said: Said, who: Mapping[str, Any]) -> Items:
        """What a rule hides by this condition: all of which it might hold."""
        if all(who.get(name) is not None for name in ASKED):
            return self.matching(said, who)
        items = enumerate(self.world.items)
        return frozenset(n for n, item in items if may_hold(said, item, who))

    def _seen(self, laws: Sequence[Law], wish: Wish) -> set[int]:
        taken = self.world.taken.get(wish.user, {})
        refused = self.world.refused.get(wish.user, set())
        first = next((law.document for law in laws if law.document["kind"] == "seen"), None)
        policy = first["policy"] if first else ("show" if wish.surface in SHOWING else "hide")
        if policy == "show":
            return set(refused)
        if policy == "hide":
            return set(taken)
        since = NOW - (first or {})["days"] * DAY
        return {item for item, time in taken.items() if time > since} | refused


@dataclass(frozen=True)
class Page:
    """A first page of the whole funnel."""

    items: list[int]
    relaxed: Mapping[str, int]
    """Rules that are said to have given way."""
    explored: bool
    """Something on it was drawn by lot, after the rest was composed."""


def page_problems(
    oracle: Oracle, laws: Sequence[Law], wish: Wish, told: Page, eligible: set[int]
) -> Iterator[str]:
    """What the page does not keep to.

    A limit gives way while the page is composed; what is drawn afterwards keeps within the limits,
    but may take away the reason for which one gave way. So that is judged without draws only.
    """
    page, relaxed = told.items, told.relaxed
    placing = [law for law in laws if law.document["kind"] in {"pin", "promote"}]
    limits = [law for law in laws if law.document["kind"] == "at_most"]
    demands = [law for law in laws if law.document["kind"] == "at_least"]
    if len(placing) == 1 and placing[0].document["kind"] == "pin":
        yield from _pinned(placing[0].document, eligible, page)
    for law in limits:
        yield from _limited(oracle, law, wish, page, relaxed)
    known = wish.surface == "home" and len(eligible) <= FEW and not placing
    if known and len(limits) == 1 and not demands and not told.explored:
        yield from _needlessly(oracle, limits[0], wish, page, eligible)
    if known and len(demands) == 1 and not limits:
        yield from _owing(oracle, demands[0], wish, page, eligible)


def row_problems(
    eligible: set[int], wish: Wish, shown: list[int], above: set[int]
) -> Iterator[str]:
    """What a row of a whole page does not keep to."""
    forbidden = [item for item in shown if item not in eligible]
    if forbidden:
        yield f"forbidden: i{forbidden[0]} and {len(forbidden) - 1} more"
    if len(set(shown)) < len(shown) or not above.isdisjoint(shown):
        yield "repeated: an item twice on a page"
    if not 1 <= len(shown) <= wish.limit:
        yield f"length: {len(shown)} of {wish.limit}"


def _pinned(told: Json, eligible: set[int], page: list[int]) -> Iterator[str]:
    items = [int(name[1:]) for name in told["items"] if int(name[1:]) in eligible]
    for slot, item in zip(sorted(told["slots"]), items, strict=False):
        if slot <= len(page) and page[slot - 1] != item:
            yield f"pin {told['id']}: i{item} should stand at {slot}, there is i{page[slot - 1]}"


def _groups(oracle: Oracle, law: Law, wish: Wish, item: int) -> list[str]:
    if law.where:
        return ["it"] if item in oracle.matching(law.where, oracle.who(wish)) else []
    told = oracle.world.items[item]
    of = law.document["of"]
    found = told["categories"][:COUNTED] if of == "categories" else [told["creator_id"]]
    return [each for each in found if each]


def _limited(
    oracle: Oracle, law: Law, wish: Wish, page: list[int], relaxed: Mapping[str, int]
) -> Iterator[str]:
    """A window may hold too many only where the answer says that the rule gave way."""
    told = law.document
    if not relaxed.get(_name(law)) and _over(oracle, law, wish, page):
        yield f"at_most {told['id']}: too many in a window, and nothing is said of it"


def _over(oracle: Oracle, law: Law, wish: Wish, page: list[int]) -> list[int]:
    """Places (from 0) that bring a window over its cap."""
    cap, window = law.document["cap"], law.document.get("window", 0) or len(page)
    groups = [_groups(oracle, law, wish, item) for item in page]
    found = []
    for at, own in enumerate(groups):
        near = Counter(each for some in groups[max(0, at - window + 1) : at] for each in some)
        if any(near[each] >= cap for each in own):
            found.append(at)
    return found


def tail_problems(
    oracle: Oracle,
    laws: Sequence[Law],
    wish: Wish,
    pages: tuple[list[int], list[int]],
    relaxed: Mapping[str, int],
) -> Iterator[str]:
    """Windows that reach back from a page over those before it (all of the whole funnel)."""
    before, page = pages
    for law in laws:
        told = law.document
        if told["kind"] == "at_most" and told["window"] and not relaxed.get(_name(law)):
            over = _over(oracle, law, wish, [*before, *page])
            if any(at >= len(before) for at in over):
                yield f"at_most {told['id']}: too many in a window over two pages"


def _name(law: Law) -> str:
    return f"in_window:{law.document['id']}"


def _needlessly(
    oracle: Oracle, law: Law, wish: Wish, page: list[int], eligible: set[int]
) -> Iterator[str]:
    """A limit that stands alone gives way only where nothing else is left."""
    cap, window = law.document["cap"], law.document.get("window", 0) or len(page)
    for at in _over(oracle, law, wish, page):
        recent = page[max(0, at - window + 1) : at]
        near = Counter(g for item in recent for g in _groups(oracle, law, wish, item))
        for item in eligible.difference(page):
            if all(near[each] < cap for each in _groups(oracle, law, wish, item)):
                yield f"at_most {law.document['id']}: i{item} would have kept it at {at + 1}"
                return


def _owing(
    oracle: Oracle, law: Law, wish: Wish, page: list[int], eligible: set[int]
) -> Iterator[str]:
    told, length = law.document, len(page)
    holds = oracle.matching(law.where, oracle.who(wish)) if law.where else frozenset()
    share = math.ceil(told.get("share", 0.0) * length - 1e-9)
    wanted = min(length, max(told.get("count", 0), share), len(holds & eligible))
    found = len(holds.intersection(page))
    if found < wanted:
        yield f"at_least {told['id']}: {found} of {wanted}"


def _acts(law: Law, wish: Wish, who: Mapping[str, Any]) -> bool:
    told = law.document
    if told.get("surfaces") and wish.surface not in told["surfaces"]:
        return False
    if "starts" in told and _seconds(told["starts"]) > NOW:
        return False
    if "ends" in told and _seconds(told["ends"]) <= NOW:
        return False
    if law.audience is not None and told["kind"] in {"block", "restrict"}:
        return may_hold(law.audience, {}, who)
    return law.audience is None or law.audience.holds({}, who)


def _lawful(item: Json, region: str, age: int) -> bool:
    """By the catalogue: visible, published, not expired, old enough, of the region."""
    shown = not item["hidden"] and item["published_at"] <= NOW
    lasting = item.get("expires_at", math.inf) > NOW
    here = not item["regions"] or region in item["regions"]
    return bool(shown and lasting and here and item["min_age"] <= age)


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
