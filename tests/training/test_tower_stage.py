"""What a run does with towers: several seeds, and a last round over everything."""

from pathlib import Path

import numpy as np
import torch
from msgspec.structs import replace as changed
from tests.training.conftest import QUICK, START, board_events, quick_settings

from palate.index.opening import Building
from palate.models.two_tower import TwoTower
from palate.stores import Stores, close, open_stores
from palate.training.dataset import Dataset, current_columns, read_dataset
from palate.training.export import export_tower
from palate.training.report import silent
from palate.training.sequences import Sequences, Steps
from palate.training.tower_stage import TowerOutcome, learn_tower, refit_tower
from palate.training.towers import encode
from palate.training.two_tower import Towers
from palate.training.validation import held_out


def learnt(site: Stores, data: Dataset, **settings: int) -> TowerOutcome:
    training = changed(QUICK, epochs=2, **settings)
    whole = changed(site.settings, training=training)
    return learn_tower(data, current_columns(site), whole, 0.7, silent)


def test_towers_of_several_seeds_are_the_mean_of_their_scores(site: Stores) -> None:
    data = read_dataset(site, silent)
    both = learnt(site, data, seeds=2).towers
    assert both is not None
    one, other = both.members
    assert not one.items.delta.equal(other.items.delta), "they are of different seeds"
    steps = held_out(Sequences.of(data.events), QUICK.history, 0, data.part(0.7))[0].steps
    scores = [_scores(each, steps) for each in (both, one, other)]
    torch.testing.assert_close(scores[0], (scores[1] + scores[2]) / 2)


def test_towers_that_were_averaged_learn_the_rest_each_for_itself_and_serve(
    site: Stores, tmp_path: Path
) -> None:
    data, columns = read_dataset(site, silent), current_columns(site)
    judged = learnt(site, data, seeds=2).towers
    assert judged is not None
    judged.share = 0.5
    again = refit_tower(judged, data, columns, changed(QUICK, epochs=2), silent)
    assert (again.metric, again.share) == (judged.metric, 0.5)
    for before, after in zip(judged.members, again.members, strict=True):
        assert not before.items.delta.equal(after.items.delta)
    how = Building()
    export_tower(tmp_path, again, columns.category_names(), how)
    served = TwoTower.load(tmp_path)
    assert served.facts.dim == 2 * QUICK.dim
    with torch.no_grad():
        table = again.items.eval()().numpy()
    np.testing.assert_allclose(served.vectors(np.arange(5, dtype=np.int32), columns), table[:5])


def _scores(towers: Towers, steps: Steps) -> torch.Tensor:
    with torch.no_grad():
        table = towers.items.eval()()
        return encode(towers.users.eval(), table, steps) @ table.T


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
