"""A whole training: from events to a live release, and what stops it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from msgspec.structs import replace as changed
from tests.training.conftest import (
    ITEMS,
    START,
    USERS,
    board_events,
    board_items,
    checkerboard,
    quick_settings,
)

from palate.catalog.alike import UNKNOWN
from palate.catalog.item import Item
from palate.catalog.quantised import quantised
from palate.catalog.user import user_key
from palate.clock import FixedClock
from palate.errors import Conflict, CorruptRelease
from palate.events.kinds import Event, Kind, Signal
from palate.features.measured import read_measured
from palate.features.record import UserState
from palate.features.vector import offered
from palate.funnel.facts import heard
from palate.funnel.types import Query, Slate
from palate.releases.directory import ReleaseDirectory
from palate.releases.release import Release
from palate.reranking.at_most import AtMost
from palate.retrieval.content import Content
from palate.settings import ContentSettings, CovisitSettings, PluginSettings, Settings
from palate.stores import Stores, close, open_stores, refresh, stream_worker, with_release
from palate.streaming.replay import Replay
from palate.surfaces import funnels
from palate.surfaces.home import generators
from palate.surfaces.overrides import overridden
from palate.testing.tiny import waited
from palate.training.content.alike import FEW
from palate.training.dataset import current_columns, read_dataset
from palate.training.lock import training_lock
from palate.training.pipeline import train
from palate.training.progress import SHARES
from palate.training.ranking.moments.rows import (
    RowSource,
    generator_names,
    reconstruct,
    sample_moments,
)
from palate.training.report import TrainingReport

CLOCK = FixedClock(START + 1e6)


def quietly(phase: str, fraction: float, text: str) -> None:
    """Progress that nobody watches."""


def logging_in(user: str) -> list[Event]:
    """A visitor clicks, and then says who they are."""
    return [
        Event(
            event_id=f"visit-{n}",
            kind=Kind.CLICK,
            time=START - 60.0 + n,
            user_id=name,
            session_id="visit",
            item_id="i0",
        )
        for n, name in enumerate(("", user))
    ]


class Trained(NamedTuple):
    site: Stores
    report: TrainingReport
    release: Release
    told: list[tuple[str, float, str]]


def learnt(site: Stores) -> Trained:
    told: list[tuple[str, float, str]] = []
    report = train(site, generators, lambda *each: told.append(each), CLOCK)
    release = ReleaseDirectory(site.settings.path("releases")).load(report.name or "")
    return Trained(site, report, release, told)


def weighed(site: Stores) -> Stores:
    """The site, where what is described alike counts beside what was taken together."""
    settings = changed(site.settings, covisit=CovisitSettings(content_weight=0.5))
    return replace(site, settings=settings)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    """One training that several tests look at."""
    stores = checkerboard(tmp_path_factory.mktemp("site"))
    stores.log.append(logging_in("u0"), START)
    yield learnt(weighed(stores))
    close(stores)


def test_a_training_ends_in_a_live_release_that_knows_who_likes_what(trained: Trained) -> None:
    site, report, release, _ = trained
    releases = ReleaseDirectory(site.settings.path("releases"))
    assert report.promoted
    assert releases.current() == report.name
    assert release.two_tower is not None
    of_all = {name for name in release.fusion if "/" not in name}
    assert of_all == set(generator_names(RowSource(site, generators, None)))
    columns = current_columns(site)
    replay = Replay(site.settings, columns)
    replay.apply(read_dataset(site, quietly).events)
    for name in ("u0", "u1"):
        user = replay.user(user_key(name))
        seen = np.sort(user.seen)
        rows, _ = release.two_tower.candidates(user, CLOCK.now(), columns, seen, 5)
        ids = site.items.ids(rows)
        assert {int(i[1:]) % 2 for i in ids} == {int(name[1:])}


def test_the_manifest_says_where_it_comes_from(trained: Trained) -> None:
    site, report, release, _ = trained
    manifest = release.manifest
    assert manifest == report.manifest
    assert manifest.created == CLOCK.now()
    assert manifest.reconstructed
    assert manifest.log_position == site.log.end()
    assert manifest.data["events"] == site.log.count()
    assert (manifest.data["users"], manifest.data["items"]) == (USERS, ITEMS)
    parts = ["two_tower", "linear", "ials", "together", "ranker"]
    assert [v.part for v in manifest.verdicts] == parts
    assert any("reconstructed" in note for note in manifest.notes)
    assert manifest.metrics["index/recall@500"] == 1.0  # so few are looked at one by one
    assert manifest.settings["training"]["seed"] == 1
    assert set(manifest.seconds) >= {"read", "tower", "rows", "ranker", "refit"}
    assert (release.ranker is not None) == manifest.verdicts[-1].shipped


def test_the_same_log_and_seed_give_the_same_files(trained: Trained, site: Stores) -> None:
    site.log.append(logging_in("u0"), START)
    again = learnt(weighed(site)).release.manifest
    assert again.files == trained.release.manifest.files
    assert again.metrics == trained.release.manifest.metrics


def test_progress_names_every_phase_in_order(trained: Trained) -> None:
    phases = [*SHARES, "done"]
    assert list(dict.fromkeys(phase for phase, _, _ in trained.told)) == phases
    assert all(0.0 <= fraction <= 1.0 and text for _, fraction, text in trained.told)


def test_a_training_that_is_stopped_leaves_nothing_behind(site: Stores) -> None:
    def stop(phase: str, *_: object) -> None:
        if phase == "publish":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(site, generators, stop, CLOCK)
    assert list(site.settings.path("releases").iterdir()) == []
    with training_lock(site.settings.home):
        pass


def test_two_trainings_of_a_site_do_not_run_together(site: Stores) -> None:
    with training_lock(site.settings.home), pytest.raises(Conflict, match="another training"):
        train(site, generators, quietly, CLOCK)


def tiny(site: Stores, events: Sequence[Event], items: Sequence[Item] = ()) -> Stores:
    """A site beside `site` with these events only, and no lower bound on them."""
    home = site.settings.home / "tiny"
    settings: Settings = quick_settings(home)
    training = changed(settings.training, min_events=1)
    stores = open_stores(changed(settings, training=training))
    stores.items.put(items)
    stores.log.append(events, START)
    return stores


DEGENERATE = {
    "no events": [],
    "two users and three items": board_events(users=2, each=3, items=6),
    "a single item": [changed(e, item_id="i0") for e in board_events(users=50, each=4)],
    "one user": board_events(users=1, each=14),
    "everybody once": board_events(users=60, each=1),
    "one moment": [changed(e, time=START) for e in board_events(users=30, each=8)],
}


@pytest.mark.parametrize("case", DEGENERATE)
def test_data_with_nothing_to_learn_ends_in_a_sentence(site: Stores, case: str) -> None:
    stores = tiny(site, DEGENERATE[case])
    report = train(stores, generators, quietly, CLOCK)
    close(stores)
    assert all(sentence.endswith(".") for sentence in report.sentences)
    if report.name is None:
        [sentence] = report.sentences
        assert sentence.startswith(
            "Nothing was trained, and what is counted live goes on serving: "
        )
        assert not report.promoted
        assert ReleaseDirectory(stores.settings.path("releases")).names() == []


def test_a_catalogue_without_metadata_can_be_learnt_from(site: Stores) -> None:
    items = [Item(item_id=f"i{n}") for n in range(ITEMS)]
    stores = tiny(site, board_events(), items)
    _, report, release, _ = learnt(stores)
    close(stores)
    assert report.promoted
    assert release.two_tower is not None


def test_a_release_brings_how_it_understands_items_and_what_it_made_of_them(
    trained: Trained,
) -> None:
    site, _, release, _ = trained
    assert release.content is not None
    assert release.manifest.settings["content"] == {"encoder": "tfidf"}
    assert {name for name in release.manifest.files if name.startswith("content/")} >= {
        "content/content.json",
        "content/terms.npy",
        "content/codebooks.npy",
        "content/codes.npy",
        "content/vectors.npy",
    }
    held = release.content.encoder.encode(board_items())
    np.testing.assert_array_equal(release.content.vectors[:ITEMS], quantised(held))
    columns = with_release(site, release).columns
    every = np.arange(ITEMS, dtype=np.int32)
    np.testing.assert_allclose(columns.read(every, ("content",))["content"], held, atol=0.005)
    code = columns.read(every, ("code",))["code"]
    assert not set(code[::2].tolist()) & set(code[1::2].tolist())


def test_what_is_described_alike_comes_with_the_release(trained: Trained) -> None:
    alike = with_release(trained.site, trained.release).columns.alike
    assert alike.rows.shape == (ITEMS, FEW)
    assert (alike.rows[:, 0] % 2 == np.arange(ITEMS) % 2).all()
    assert trained.site.columns.alike is UNKNOWN


def test_an_item_that_came_after_the_release_is_near_its_like_at_once(trained: Trained) -> None:
    stores = open_stores(trained.site.settings, writer=True)
    worker = stream_worker(stores, CLOCK)
    worker.drain()
    stores.columns.follow(stores.items)
    stores.items.put([Item(item_id="new", title="horror 99", categories=("horror",))])
    worker.drain()
    refresh(stores)
    stores.columns.follow(stores.items)
    query = Query("home", worker_user(stores, "u1"), 20, CLOCK.now())
    found = waited(Content.default(stores).generate(query, 21)).rows
    row = stores.items.rows(["new"], create=False)[0]
    assert row in found
    assert {int(each[1:]) % 2 for each in stores.items.ids(found[found != row])} == {1}
    assert stores.columns.plain.content[row].any()
    own, hashed = stores.columns.content_vectors[row], stores.columns.plain.content_vectors[row]
    assert not np.allclose(own, hashed, atol=0.01)
    stores.items.remove(["new"])
    close(stores)


def test_a_page_may_be_kept_from_one_topic(trained: Trained) -> None:
    stores = open_stores(trained.site.settings, writer=True)
    stream_worker(stores, CLOCK).drain()
    stores.columns.follow(stores.items)
    columns = stores.columns
    rows = np.arange(ITEMS, dtype=np.int32)
    code = columns.read(rows, ("code",))["code"]
    top = rows[code == code[0]][:8]
    rest = rows[code != code[0]][:4]
    slate = Slate(
        np.concatenate((top, rest)),
        np.linspace(1, 0, 12).astype(np.float32),
        columns={"code": np.concatenate((code[top], code[rest]))},
    )
    found = AtMost("code", cap=3, screen=6).apply(Query("home", UserState.nobody(), 6, 0.0), slate)
    assert (columns.read(found.rows[:6], ("code",))["code"] == code[0]).sum() == 3
    chosen = overridden(funnels(stores)["home"], "home", {"at_most.column": "code"})
    answer = waited(chosen.answer(Query("home", UserState.nobody(), 10, CLOCK.now())))
    assert answer.step == "full"
    assert len(answer.slate) == 10
    close(stores)


def worker_user(stores: Stores, name: str) -> UserState:
    [raw] = stores.online.users([user_key(name)])
    assert raw is not None
    return UserState.unpack(user_key(name), raw)


def test_words_are_hashed_where_that_is_chosen(site: Stores) -> None:
    hashed = changed(site.settings, content=ContentSettings(encoder="hashed"))
    found = learnt(replace(site, settings=hashed)).release
    assert found.content is None
    assert site.columns.alike is UNKNOWN
    assert with_release(site, found).columns is site.columns.plain


def test_too_few_events_are_refused_with_the_number_that_is_needed(site: Stores) -> None:
    patient = changed(site.settings.training, min_events=100_000)
    strict = changed(site.settings, training=patient)
    report = train(replace(site, settings=strict), generators, quietly, CLOCK)
    assert report.name is None
    assert "learning begins at 100,000 engagements" in report.sentences[0]


def test_a_release_tells_what_each_feature_is_worth(trained: Trained) -> None:
    releases = ReleaseDirectory(trained.site.settings.path("releases"))
    told = read_measured(releases.folder(trained.release.name))
    assert set(told) == set(offered(heard(generators(trained.site))))
    assert all(each.importance is not None for each in told.values())
    assert any(each.importance for each in told.values())


def test_a_live_release_goes_on_serving_where_there_is_too_little_for_another(
    trained: Trained,
) -> None:
    patient = changed(trained.site.settings.training, min_events=100_000)
    strict = changed(trained.site.settings, training=patient)
    report = train(replace(trained.site, settings=strict), generators, quietly, CLOCK)
    assert f"release {trained.release.name} goes on serving" in report.sentences[0]
    assert not any("plug-in" in each for each in trained.report.sentences), "none is set"


def test_the_gate_keeps_a_ranker_back_that_is_no_better(
    site: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("palate.training.gate.FLOOR", float("inf"))
    plugged = changed(site.settings, plugins=PluginSettings(ranker="by_the_book"))
    _, report, release, _ = learnt(replace(site, settings=plugged))
    assert release.ranker is None
    assert release.manifest.features == ()
    *_, verdict, instead, _ = report.sentences
    assert "the release ranks by weighted fusion" in verdict
    assert "the plug-in 'by_the_book' ranks" in instead
    assert "would rank without it" in instead


def test_moments_are_spread_over_the_end_of_the_log_and_know_what_came_next(site: Stores) -> None:
    data = read_dataset(site, quietly)
    since = data.part(0.8)
    moments = sample_moments(data.events, since, 50, 50)
    assert len(moments) == 50
    places = [int(data.events.position[m.at]) for m in moments]
    assert places == sorted(places)
    assert places[0] >= since
    assert places[-1] == int(data.events.position[-1])
    for moment in moments:
        row = int(data.events.item[moment.at])
        assert row in moment.labels
        assert all(head[0] for head in moment.labels.values())
        positive = bool(data.events.signal[moment.at] & Signal.POSITIVE)
        assert moment.labels[row][1:3] == (True, positive)
        assert len(moment.labels) <= 10


def test_a_horizon_of_one_learns_the_very_next_thing(site: Stores) -> None:
    data = read_dataset(site, quietly)
    for moment in sample_moments(data.events, data.part(0.8), 50, 1):
        assert list(moment.labels) == [int(data.events.item[moment.at])]


def test_busy_users_are_asked_ever_more_rarely(site: Stores) -> None:
    data = read_dataset(site, quietly)
    moments = sample_moments(data.events, 0, 10_000, 50)
    own = np.flatnonzero((data.events.user == user_key("u3")) & data.engaged)
    asked = [moment.at for moment in moments if moment.user == user_key("u3")]
    first, again = [0, 1, 2, 3, 5, 8], [10, 11, 12, 13]  # who has ten acts returns every hour
    assert asked == own[first + again].tolist()


def test_rows_know_nothing_of_the_moment_they_predict(site: Stores) -> None:
    data = read_dataset(site, quietly)
    moments = sample_moments(data.events, data.part(0.8), 20, 50)
    asked: list[tuple[float, int]] = []

    def spying(stores: Stores) -> tuple[object, ...]:
        class Spy:
            async def generate(self, query, limit):  # noqa: ANN001, ANN202
                asked.append((query.user.last_time, query.user.total))
                inner = generators(stores)[1]
                return await inner.generate(query, limit)

        return (Spy(),)

    stores = replace(site, columns=current_columns(site))
    source = RowSource(stores, spying, None)  # type: ignore[arg-type]
    lists = reconstruct(source, data, moments, 15, quietly)
    assert len(asked) == len(moments)
    for moment, (last, total) in zip(moments, asked, strict=True):
        before = data.events.take(slice(0, moment.at))
        own = before.user == moment.user
        assert last < moment.now
        assert total == own.sum()
    assert len(lists) == len(moments)


def test_training_lists_are_sampled_and_judging_lists_are_whole(site: Stores) -> None:
    data = read_dataset(site, quietly)
    moments = sample_moments(data.events, data.part(0.8), 60, 50)
    source = RowSource(replace(site, columns=current_columns(site)), generators, None)
    lists = reconstruct(source, data, moments, 30, quietly)
    for number, each in enumerate(lists):
        taken = np.flatnonzero(each.labels.any(axis=1))
        assert np.isin(taken, each.kept).all()
        assert each.features.shape == (len(each.kept), len(source.features))
        assert np.isfinite(each.features).all()
        others = len(each.rows) - len(taken)
        if number >= 30:
            assert len(each.kept) == len(each.rows)
        assert each.weight * (len(each.kept) - len(taken)) == pytest.approx(others)


def test_a_new_catalogue_entry_reaches_the_training_without_a_stream_worker(site: Stores) -> None:
    site.items.put([Item(item_id="late", title="Late", categories=("comedy",))])
    columns = current_columns(site)
    row = int(site.items.rows(["late"], create=False)[0])
    assert columns.servable[row]
    assert len(board_items()) == ITEMS


def test_promotion_refuses_what_does_not_verify(
    site: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Release:
        raise CorruptRelease("nothing reads back")

    monkeypatch.setattr(ReleaseDirectory, "load", broken)
    with pytest.raises(CorruptRelease):
        train(site, generators, quietly, CLOCK)
    assert ReleaseDirectory(site.settings.path("releases")).current() is None


def test_a_training_looks_at_a_catalogue_that_stands_still(tmp_path: Path) -> None:
    close(checkerboard(tmp_path))
    site = open_stores(quick_settings(tmp_path), writer=True)
    site.columns.write(site.items.changes(0, 1_000))
    held = current_columns(site)
    before = list(held.category_names())
    site.items.put([Item(item_id="new", title="New", categories=("western",))])
    site.columns.write(site.items.changes(site.columns.version, 1_000))
    assert "western" in site.columns.category_names()
    assert list(held.category_names()) == before
    close(site)
