"""What a run does with towers: several seeds, and a last round over everything."""

from pathlib import Path

from msgspec.structs import replace as changed
from tests.training.conftest import QUICK, START, board_events, quick_settings

from palate.stores import Stores, close, open_stores
from palate.training.dataset import Dataset, current_columns, read_dataset
from palate.training.report import silent
from palate.training.tower_stage import TowerOutcome, learn_tower, refit_tower


def learnt(site: Stores, data: Dataset, **settings: int) -> TowerOutcome:
    training = changed(QUICK, epochs=2, **settings)
    whole = changed(site.settings, training=training)
    return learn_tower(data, current_columns(site), whole, 0.7, silent)


def test_of_several_seeds_the_one_that_validates_best_ships(site: Stores) -> None:
    data = read_dataset(site, silent)
    alone = learnt(site, data).towers
    best = learnt(site, data, seeds=3).towers
    assert alone is not None
    assert best is not None
    assert best.metric >= alone.metric


def test_the_last_round_knows_all_events_and_keeps_what_was_judged(site: Stores) -> None:
    data = read_dataset(site, silent)
    judged = learnt(site, data).towers
    assert judged is not None
    judged.items.half_open = 3.0
    settings = changed(QUICK, epochs=2)
    again = refit_tower(judged, data, current_columns(site), settings, silent)
    assert again.metric == judged.metric
    assert again.items.half_open == judged.items.half_open, "the ranker knows these scales"
    assert again.items.counts.sum() == data.counts(data.part(1.0)).sum()
    assert not judged.items.delta.equal(again.items.delta)


def test_people_with_one_event_each_are_nothing_to_learn_from(tmp_path: Path) -> None:
    stores = open_stores(quick_settings(tmp_path))
    once = board_events(users=400, each=1)
    stores.log.append(once, START)
    found = learnt(stores, read_dataset(stores, silent))
    close(stores)
    assert found.towers is None
    assert "and there are 0 over 40" in found.lacking
