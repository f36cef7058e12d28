"""The hidden world: the same for a seed, wanted as rarely as it says, silent about its truth."""

from pathlib import Path

import numpy as np
import pytest

from palate.errors import BadInput
from palate.evaluation.simulator.fitted import fitted
from palate.evaluation.simulator.world import WANTED, Size, free, past
from palate.events.sqlite import SqliteLog
from palate.stores import Sources
from palate.testing.tiny import tiny_stores

SMALL = Size(items=300, users=60, topics=8, arrivals=10, newcomers=12)


def test_a_seed_is_a_world() -> None:
    one, again, other = free(1, SMALL), free(1, SMALL), free(2, SMALL)
    assert np.array_equal(one.vectors, again.vectors)
    assert np.array_equal(one.tastes, again.tastes)
    assert not np.array_equal(one.vectors, other.vectors)
    assert list(past(one, 1, 1e9, 20)) == list(past(again, 1, 1e9, 20))


def test_few_things_are_wanted_and_newcomers_are_twins() -> None:
    world = free(1, SMALL)
    assert world.worth().mean() == pytest.approx(WANTED, rel=0.1)
    assert world.known == 60
    assert world.there == 300
    assert np.array_equal(world.tastes[world.known :], world.tastes[world.twins])


def test_what_is_told_of_an_item_holds_nothing_of_the_truth() -> None:
    [document] = free(1, SMALL).documents([3])
    assert set(document) == {"item_id", "title", "categories", "attributes"}
    assert set(document["attributes"]) == {"shelf", "place"}


def test_the_past_is_in_order_and_goes_by_taste() -> None:
    world = free(1, SMALL)
    acts = list(past(world, 1, 1e9, 20))
    times = [act.time or 0.0 for act in acts]
    assert times == sorted(times)
    assert max(act.user for act in acts) < world.known
    assert max(act.item for act in acts) < world.there
    chosen = np.mean([world.vectors[a.item] @ world.tastes[a.user] for a in acts])
    assert chosen > (world.vectors @ world.tastes.T).mean() + 0.2


def test_a_world_is_fitted_to_a_log_and_brings_its_past() -> None:
    stores = tiny_stores()
    world, acts = fitted(Sources(stores.settings, stores.items, stores.users, stores.log), 1, SMALL)
    assert 50 <= world.there <= 60
    mine = [act for act in acts if act.user == 0]
    wanted = world.logits(world.tastes[0], np.arange(world.there, dtype=np.int32))
    taken = np.mean([wanted[act.item] for act in mine])
    assert taken > wanted.mean() + 1.0, "people like what they took"


def test_too_little_to_fit_is_said() -> None:
    stores = tiny_stores()
    empty = Sources(stores.settings, stores.items, stores.users, SqliteLog(Path(":memory:")))
    with pytest.raises(BadInput, match="too few to fit"):
        fitted(empty, 1, SMALL)
