"""An item that came after the release finds its people from its first events, not a day later."""

from collections.abc import Iterator
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from tests.training.conftest import START, board_events, board_items, quick_settings
from tests.training.test_pipeline import CLOCK

from palate.catalog.item import Item
from palate.catalog.user import user_key
from palate.events.kinds import Event, Kind
from palate.features.record import UserState
from palate.models.arrivals import READ, before_then
from palate.models.two_tower import TwoTower
from palate.releases.directory import ReleaseDirectory
from palate.serving.live import Live
from palate.stores import Stores, close, open_stores, refresh, stream_worker, with_release
from palate.streaming.worker import StreamWorker
from palate.surfaces.home import generators
from palate.training.pipeline import train

LATE = START + 400_000.0


@pytest.fixture(scope="module")
def opened(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Stores, StreamWorker]]:
    stores = open_stores(quick_settings(tmp_path_factory.mktemp("site")), writer=True)
    worker = stream_worker(stores, CLOCK)
    stores.items.put(board_items())
    stores.log.append(board_events(), START)
    worker.drain()
    report = train(stores, generators, lambda *_: None, CLOCK)
    release = ReleaseDirectory(stores.settings.path("releases")).load(report.name or "")
    yield with_release(stores, release), worker
    close(stores)


def arrived(opened: tuple[Stores, StreamWorker], item_id: str, takers: list[int]) -> Live:
    """A bare item, and who took it; nothing is said of it but its name."""
    stores, worker = opened
    stores.items.put([Item(item_id=item_id, title="?")])
    acts = [
        Event(
            event_id=f"{item_id}-{n}", kind=Kind.LIKE, time=LATE + n,
            user_id=f"u{n}", item_id=item_id,
        )
        for n in takers
    ]  # fmt: skip
    stores.log.append(acts, LATE)
    worker.drain()
    refresh(stores)
    return Live.on(stores)


def liking(live: Live, item_id: str, parity: int) -> float:
    """Mean score of the item for people who have not met it."""
    stores, tower = live.stores, live.stores.release.two_tower if live.stores.release else None
    assert isinstance(tower, TwoTower)
    vector = tower.vectors(stores.items.rows([item_id], create=False), stores.columns)[0]
    scores = []
    for n in range(40 + parity, 60, 2):
        raw = stores.online.user(user_key(f"u{n}"))
        assert raw is not None
        user = UserState.unpack(user_key(f"u{n}"), raw)
        theirs = tower.user_vector(user, LATE + 100.0, stores.columns)
        assert theirs is not None
        scores.append(float(theirs @ vector))
    return float(np.mean(scores))


def test_no_more_newcomers_are_remembered_than_the_settings_allow(
    opened: tuple[Stores, StreamWorker],
) -> None:
    for name in ("one", "two", "three"):
        arrived(opened, name, [0, 2, 4])
    stores, _ = opened
    serving = msgspec.structs.replace(stores.settings.serving, newcomers=2)
    live = Live.on(
        replace(stores, settings=msgspec.structs.replace(stores.settings, serving=serving))
    )
    while live.fold_in():
        pass
    assert live.arrivals is not None
    assert len(live.arrivals._taken) == 2


@pytest.mark.parametrize("parity", [0, 1])
def test_it_moves_towards_those_who_took_it(
    opened: tuple[Stores, StreamWorker], parity: int
) -> None:
    name = f"new{parity}"
    live = arrived(opened, name, list(range(parity, 40, 2)))
    before = liking(live, name, parity) - liking(live, name, 1 - parity)
    assert live.fold_in() >= 1
    after = liking(live, name, parity) - liking(live, name, 1 - parity)
    assert after > before + 0.1
    assert live.fold_in() == 0, "nothing is heard twice"


def test_what_the_release_knew_is_left_alone(opened: tuple[Stores, StreamWorker]) -> None:
    live = arrived(opened, "new", [2])
    tower = live.stores.release.two_tower if live.stores.release else None
    assert tower is not None
    rows = live.stores.items.rows([f"i{n}" for n in range(40)], create=False)
    known = tower.vectors(rows, live.stores.columns).copy()
    live.fold_in()
    np.testing.assert_array_equal(tower.vectors(rows, live.stores.columns), known)


def test_a_log_longer_than_one_reading_is_heard_in_turns(
    opened: tuple[Stores, StreamWorker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("palate.models.arrivals.READ", 3)
    live = arrived(opened, "long", list(range(0, 20, 2)))
    moved = [live.fold_in() for _ in range(60)]
    assert sum(1 for each in moved if each) >= 3
    assert READ > 3


def test_a_vector_knows_nothing_of_the_act_it_is_asked_for() -> None:
    stores_user = UserState.nobody()
    assert before_then(stores_user, 5.0) is stores_user
