"""What a page was shown with is what replay finds again, and is what training learns from."""

from contextlib import closing
from dataclasses import replace

import msgspec
import numpy as np
import pytest
import torch
from tests.serving.conftest import SmallSite

from palate.clock import FixedClock
from palate.features.vector import layout_hash, meanings, offered
from palate.funnel.facts import heard
from palate.models.ranker import HEADS, RankerFacts
from palate.releases.directory import ReleaseDirectory
from palate.releases.manifest import Manifest
from palate.stores_offline import attributor, open_offline
from palate.surfaces.home import generators
from palate.testing.tiny import NOW
from palate.training.dataset import current_columns, read_dataset
from palate.training.ranking.export import export_ranker
from palate.training.ranking.fitting import Fitted
from palate.training.ranking.lists import RankedList
from palate.training.ranking.moments.logged import AsShown, lasting
from palate.training.ranking.moments.rows import RowSource, reconstruct
from palate.training.ranking.moments.shown import showings
from palate.training.ranking.network import RankerNetwork, Shape, spread_of
from palate.training.report import silent

HOUR = 3_600.0


@pytest.fixture
def names(site: SmallSite) -> tuple[str, ...]:
    return offered(heard(generators(site.stores)))


@pytest.fixture
def live(site: SmallSite, names: tuple[str, ...]) -> Manifest:
    """A release whose ranker reads everything, and one page of it from which something is taken."""
    releases = ReleaseDirectory(site.settings.path(site.settings.stores.releases))
    staging = releases.begin()
    torch.manual_seed(0)
    rows = np.random.default_rng(2).normal(size=(40, len(names))).astype(np.float32)
    network = RankerNetwork(Shape(len(names)))
    nothing = np.zeros((0, 0), np.float32)
    learnt = Fitted(network, spread_of(rows), nothing, np.arange(len(names)))
    facts = RankerFacts(features=names, means=(0.0,) * len(names), knots={}, heads=HEADS)
    export_ranker(staging / "ranker", learnt, facts)
    manifest = Manifest(
        created=1.0,
        version="test",
        features=names,
        layout=layout_hash(names),
        definitions=meanings(names),
    )
    name = releases.publish(staging, manifest)
    releases.promote(name)
    with site.client.portal() as portal:
        portal.call(site.app.state["runtime"].watch.look)
    page = site.slate(user_id="u0", limit=6)
    site.settle()
    site.worker.drain()
    taken = page["items"][4]["item_id"]
    site.send({"kind": "click", "user_id": "u0", "item_id": taken, "time": NOW + 5.0})
    joins = attributor(site.stores, FixedClock(NOW + HOUR))
    with closing(joins.waiting), closing(joins.store):
        joins.step()
    return releases.manifest(name)


def learnt_from(
    site: SmallSite, names: tuple[str, ...], live: Manifest | None
) -> tuple[AsShown, RankedList]:
    data = read_dataset(site.stores, silent)
    page = showings(data.events, 0, 10, 24 * HOUR)[-1]  # the tiny world has some of its own
    stores = replace(site.stores, columns=current_columns(site.stores))
    source = RowSource(stores, generators, None)
    with closing(open_offline(site.settings)) as offline:
        as_shown = AsShown.of(
            offline,
            live,
            names,
            [int(data.events.position[page.at])],
            lambda ids: stores.items.rows(ids, create=False),
        )
    return as_shown, reconstruct(source, data, [page], 0, silent, as_shown)[0]


def test_replay_finds_what_the_page_was_shown_with(
    site: SmallSite, names: tuple[str, ...], live: Manifest
) -> None:
    as_shown, made = learnt_from(site, names, live)
    many = sum(map(lasting, names))
    assert many > 80
    assert as_shown.told == many * len(made.rows)
    assert as_shown.agreed == as_shown.told
    assert as_shown.numbers()["logged/agreed"] == 1.0


def test_what_was_said_of_an_item_then_is_learnt_from_not_what_is_said_now(
    site: SmallSite, names: tuple[str, ...], live: Manifest
) -> None:
    _, before = learnt_from(site, names, live)
    items = site.stores.items
    for row in before.rows.tolist():
        (name,) = items.ids(np.array([row], np.int32))
        items.edit(name, lambda item: msgspec.structs.replace(item, tags=tuple("abcd")))
    column = names.index("item_tags")
    as_shown, after = learnt_from(site, names, live)
    assert as_shown.agreed < as_shown.told
    np.testing.assert_array_equal(after.features[:, column], before.features[:, column])
    _, replayed = learnt_from(site, names, None)
    assert (replayed.features[:, column] != before.features[:, column]).all()


def test_a_feature_that_meant_something_else_then_is_made_anew(
    site: SmallSite, names: tuple[str, ...], live: Manifest
) -> None:
    told = {**live.definitions, "user_acts": "another"}
    changed, _ = learnt_from(site, names, msgspec.structs.replace(live, definitions=told))
    whole, _ = learnt_from(site, names, live)
    assert set(whole.columns) - set(changed.columns) == {names.index("user_acts")}
    other, _ = learnt_from(site, names, msgspec.structs.replace(live, name="another"))
    assert not other.told
