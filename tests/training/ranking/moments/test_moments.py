"""Which moments are learnt from: also those at which people come back, rare as they are."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from tests.training.conftest import START, board_items

from palate.events.kinds import Event, Kind
from palate.models.visits import VISITS, visit_of, visits_of
from palate.stores import Stores
from palate.training.dataset import read_dataset
from palate.training.ranking.moments.rows import Moment, sample_moments
from palate.training.report import silent

PEOPLE, ACTS = 20, 40
MINUTE, DAY = 60.0, 86_400.0


def visits() -> list[Event]:
    """Each sits for an evening with 30 items, and comes back ten days later for another ten."""
    late = {n: 10.0 * DAY if n >= 30 else 0.0 for n in range(ACTS)}
    return [
        Event(
            event_id=f"{user}-{n}", kind=Kind.CLICK, user_id=f"u{user}", item_id=f"i{n}",
            time=START + DAY * user + late[n] + MINUTE * n,
        )
        for user in range(PEOPLE)
        for n in range(ACTS)
    ]  # fmt: skip


def kinds(moments: Sequence[Moment]) -> Counter[str]:
    """By the events themselves: what the k-th act of somebody is."""
    found: Counter[str] = Counter()
    for moment in moments:
        (row,) = moment.labels
        idle = np.inf if row == 0 else 10.0 * DAY if row == 30 else MINUTE
        found[visit_of(row, idle)] += 1
    return found


def test_returns_are_an_eighth_of_the_moments_though_they_are_rare_in_the_log(site: Stores) -> None:
    site.items.put(board_items())
    told = sorted(visits(), key=lambda event: event.time)
    first = site.log.end()
    site.log.append(told, START)
    data = read_dataset(site, silent)
    mine = data.events.take(np.flatnonzero(data.events.position > first))
    every = kinds(sample_moments(mine, 0, 10**6, 1))
    assert every == {"newcomer": 6 * PEOPLE, "returning": PEOPLE, "within": 3 * PEOPLE}
    few = kinds(sample_moments(mine, 0, 80, 1))
    assert few["returning"] == 80 // 8
    assert few["newcomer"] + few["within"] == 70
    assert few["within"] > 15
    more = kinds(sample_moments(mine, 0, 190, 1))
    assert more["returning"] == PEOPLE, "what the others leave room for"


def test_one_by_one_or_all_at_once_the_kinds_are_the_same() -> None:
    pairs = [(k, i) for k in (0, 9, 10, 11) for i in (0.0, 1_799.0, 1_800.0, np.inf)]
    known, idle = map(np.array, zip(*pairs, strict=True))
    assert [VISITS[at] for at in visits_of(known, idle)] == [visit_of(*each) for each in pairs]
