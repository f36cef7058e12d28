"""Days of visits: people come, read, act and leave; whatever shows them pages learns from it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from palate.arrays import Floats, Rows
from palate.evaluation.simulator.people import (
    BORED,
    LEAVES,
    PATIENCE,
    Chances,
    Person,
    UserModel,
    read,
)
from palate.evaluation.simulator.policies import Page, Policy, Visit
from palate.evaluation.simulator.world import Act, World

CONVERTS, LIKED = 0.3, 0.6
"""Share of the views above `LIKED` that become a purchase, a day later."""


class Plan(NamedTuple):
    """How long, how many, how dense."""

    seed: int = 1
    days: int = 4
    size: int = 10
    """Places of a page."""
    together: int = 40
    """People on the site at a time."""


class Look(NamedTuple):
    """One page that was looked at."""

    day: int
    user: int
    visit: int
    """Counted over all visits."""
    acts: int
    """Clicks of this person before the page."""
    rows: Rows
    explore: Sequence[bool]
    clicked: tuple[int, ...]
    """Places."""


@dataclass(slots=True)
class Run:
    """What happened under one policy."""

    looks: list[Look] = field(default_factory=list)
    visits: int = 0
    whole: bool = True
    """False where it was broken off."""


Tell = Callable[[int, int], None]
"""How many visits are over, of how many."""


def simulate(
    world: World, model: UserModel, policy: Policy, plan: Plan, past: Sequence[Act], tell: Tell
) -> Run:
    """Run all days. Ctrl-C ends it early: the run says that it is not whole."""
    crowd, run = _Crowd(world, model, policy, plan), Run()
    crowd.remember(past)
    days = schedule(world, plan)
    total = sum(map(len, days))
    try:
        for day, visitors in enumerate(days):
            policy.open_day(there(world, day))
            policy.tell(crowd.later())
            for start in range(0, len(visitors), plan.together):
                crowd.wave(day, visitors[start : start + plan.together], run)
                tell(run.visits, total)
    except KeyboardInterrupt:
        run.whole = False
    return run


def there(world: World, day: int) -> int:
    """How many items exist on a day: new ones come with the second, all of them."""
    return world.there + (world.arrivals if day else 0)


def schedule(world: World, plan: Plan) -> list[list[int]]:
    """Who visits, by day: newcomers twice on their first day and once on each that follows.

    The known person of the same taste comes whenever their twin does, so both see the same days.
    """
    dice = np.random.Generator(np.random.PCG64([plan.seed, 3]))
    first = np.arange(len(world.twins)) % plan.days
    days = []
    for day in range(plan.days):
        halves: list[list[int]] = [[], []]
        for new, began in enumerate(first.tolist()):
            both = [world.known + new, int(world.twins[new])]
            if began == day:
                halves[0] += both
                halves[1] += both
            elif began < day:
                halves[new % 2] += both
        days.append([who for half in halves for who in dice.permutation(half).astype(int).tolist()])
    return days


class _Crowd:
    """The people of a world, while they visit."""

    def __init__(self, world: World, model: UserModel, policy: Policy, plan: Plan) -> None:
        self._world, self._model, self._policy, self._plan = world, model, policy, plan
        self._people: dict[int, Person] = {}
        self._late: list[Act] = []
        self._times: dict[int, int] = {}
        self._waves = 0

    def remember(self, past: Sequence[Act]) -> None:
        """People know what they took in before."""
        for act in past:
            self._person(act.user).done.add(act.item)

    def later(self) -> list[Act]:
        """What was decided a day ago and happens now."""
        late, self._late = self._late, []
        return late

    def wave(self, day: int, visitors: Sequence[int], run: Run) -> None:
        """Some people at once, page by page; what they do on one counts before the next."""
        here = [(who, self._arrive(who)) for who in visitors]
        number = dict(zip(visitors, range(run.visits, run.visits + len(visitors)), strict=True))
        run.visits += len(visitors)
        for page in range(PATIENCE):
            acts, stay = [], []
            for who, visit in here:
                shown = self._policy.page(visit, self._plan.size)
                if not len(shown.rows):
                    continue
                before, dice = self._person(who).acts, self._dice(who, page)
                done = self._reads(who, shown, dice)
                places = tuple(at for at, act in done if act.kind == "click")
                run.looks.append(
                    Look(day, who, number[who], before, shown.rows, shown.explore, places)
                )
                acts += [_placed(act, shown, at) for at, act in done]
                if dice.random() > (LEAVES if places else BORED):
                    stay.append((who, visit))
            here = stay
            self._policy.tell(acts)
            self._decide(acts)

    def _reads(self, who: int, shown: Page, dice: np.random.Generator) -> list[tuple[int, Act]]:
        look = dice.random(self._plan.size)[: len(shown.rows)]
        by_item = dice.random(len(self._world.items))[shown.rows]
        chances = Chances(look, by_item, dice)
        return read(self._person(who), self._model, self._world, shown.rows, chances)

    def _arrive(self, who: int) -> Visit:
        person = self._person(who)
        self._times[who] = self._times.get(who, 0) + 1
        person.arrive(self._mood(person, self._dice(who, PATIENCE)))
        return Visit(who, done=frozenset(person.done))

    def _mood(self, person: Person, dice: np.random.Generator) -> Floats:
        """Something that they like came to their mind."""
        world = self._world
        logits = world.logits(person.taste, np.arange(world.there, dtype=np.int32))
        mood: Floats = world.vectors[int(np.argmax(logits + dice.gumbel(size=len(logits))))]
        return mood

    def _decide(self, acts: Sequence[Act]) -> None:
        """Some buy what they liked, but not now."""
        self._waves += 1
        dice = np.random.Generator(np.random.PCG64([self._plan.seed, 5, self._waves]))
        for act in acts:
            liked = act.kind == "view" and (act.value or 0.0) > LIKED
            if liked and dice.random() < CONVERTS:
                self._late.append(act._replace(kind="purchase", value=None))

    def _person(self, who: int) -> Person:
        if who not in self._people:
            taste = self._world.tastes[who]
            self._people[who] = Person(who, taste, taste)
        return self._people[who]

    def _dice(self, who: int, page: int) -> np.random.Generator:
        """The luck of a person's page, whatever the policy."""
        words = [self._plan.seed, 4, who, self._times.get(who, 0), page]
        return np.random.Generator(np.random.PCG64(words))


def _placed(act: Act, shown: Page, at: int) -> Act:
    return act._replace(page=shown.name, position=at + 1)
