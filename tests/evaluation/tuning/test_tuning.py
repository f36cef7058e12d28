from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from tests.evaluation.test_run import START, future, home, past, silent, site_of, took, untrained

from palate.catalog.user import user_key
from palate.errors import BadInput
from palate.evaluation.as_of import Shelf, read_all
from palate.evaluation.split import split
from palate.evaluation.tuning.covisit import GRIDS, CovisitJudge
from palate.evaluation.tuning.inside import drawn, inside
from palate.evaluation.tuning.learning import folder_of
from palate.evaluation.tuning.run import Order, Tuned, tune
from palate.evaluation.workspace import Workspace
from palate.events.batch import EventBatch
from palate.events.kinds import Event
from palate.funnel.engine import Funnel
from palate.settings import CovisitSettings
from palate.stores import Stores
from palate.testing.tiny import DAY, EACH, GENRES, NOW
from palate.training.checkpoint import Checkpoints
from palate.training.content.encoder import alike_today
from palate.training.dataset import current_columns, read_dataset

EVENTS = past() + future(np.random.default_rng(1))
QUICK = Order(budget=6)
EVERYTHING = np.ones(EACH * len(GENRES), np.bool_)


def site(home_of_it: Path, events: list[Event] = EVENTS) -> Stores:
    stores = site_of(events)
    home_of_it.mkdir(exist_ok=True)
    return replace(stores, settings=msgspec.structs.replace(stores.settings, home=home_of_it))


def found(stores: Stores, order: Order = QUICK) -> Tuned:
    return tune(stores, order, home, untrained, silent)


def refused(*_: object) -> Stores:
    pytest.fail("trained again")


def batch_of(stores: Stores) -> EventBatch:
    return read_all(stores.log, Shelf.of(stores.items), lambda _: None)[0]


def test_what_is_tuned_lies_before_what_is_tested(tmp_path: Path) -> None:
    batch = batch_of(site(tmp_path))
    moment = split(batch, "time").moment
    tuned_on = inside(batch, "time", EVERYTHING)
    assert tuned_on.batch.time.max() < moment
    assert tuned_on.cut.moment <= tuned_on.batch.time.max()


def test_under_loo_the_last_event_of_everybody_is_neither_asked_nor_known(tmp_path: Path) -> None:
    batch = batch_of(site(tmp_path))
    tests = {case.user: case.relevant[0] for case in split(batch, "loo").cases}
    cut = inside(batch, "loo", EVERYTHING).cut
    for case in cut.cases:
        assert tests[case.user] not in {*case.history.tolist(), *case.relevant.tolist()}
        assert not len(case.extra)


def test_under_loo_everybody_is_asked_when_they_took_what_is_asked_for(tmp_path: Path) -> None:
    stores, user = site(tmp_path, past(people=12)), user_key("u3")
    shelf = Shelf.of(stores.items)
    batch = read_all(stores.log, shelf, lambda _: None)[0]
    tuned_on = inside(batch, "loo", shelf.shown)
    (case,) = (case for case in tuned_on.cut.cases if case.user == user)
    own = batch.time[batch.user == user]
    assert case.now == own[-2]
    space = Workspace.build(stores, shelf, batch, tuned_on.cut, tmp_path)
    assert_array_equal(space.moment - space.user(case).times, own[-2] - own[:-2])


def test_the_future_changes_nothing(tmp_path: Path) -> None:
    other = past() + future(np.random.default_rng(2))
    assert found(site(tmp_path / "one")) == found(site(tmp_path / "two", other))


def test_a_found_setting_is_as_good_as_the_judge_says(tmp_path: Path) -> None:
    stores = site(tmp_path)
    order = Order(("covisit",), budget=20)
    told = tune(stores, order, home, untrained, silent, alike_today)
    tuned_on, alike = inside(batch_of(stores), "time", EVERYTHING), alike_today(stores)
    judge = CovisitJudge(tuned_on, drawn(tuned_on.cut, 2_000, 1), CovisitSettings(), alike)
    assert told.numbers["covisit_ndcg"] == judge(told.settings["covisit"])
    assert told.numbers["covisit_ndcg"] >= told.numbers["covisit_ndcg_before"]
    assert set(told.settings["covisit"]) == set(GRIDS)
    assert told.tried <= 20


def test_without_a_word_about_the_items_their_likeness_is_not_tuned(tmp_path: Path) -> None:
    told = found(site(tmp_path), Order(("covisit",), budget=20))
    assert set(told.settings["covisit"]) == set(GRIDS) - {"content_weight"}


def test_what_the_operator_has_set_is_left_alone(tmp_path: Path) -> None:
    fixed = {"covisit": ("decay", "window"), "retrieval": ("quotas",)}
    told = found(site(tmp_path), replace(QUICK, fixed=fixed))
    assert not {"decay", "window"} & set(told.settings["covisit"])
    assert "retrieval" not in told.settings


def test_a_second_run_asks_nobody_again(tmp_path: Path) -> None:
    stores = site(tmp_path)
    first = found(stores)

    assert tune(stores, QUICK, home, refused, silent) == first


def test_a_run_that_is_killed_goes_on_with_what_it_learnt(tmp_path: Path) -> None:
    stores, order = site(tmp_path), Order(("quotas",))
    homes: list[Path] = []

    def killed(stores: Stores, _: object) -> Stores:
        homes.append(stores.settings.home)
        assert not (homes[-1] / "checkpoint").exists()
        (homes[-1] / "checkpoint").touch()
        raise KeyboardInterrupt

    def going_on(stores: Stores, _: object) -> Stores:
        homes.append(stores.settings.home)
        assert (homes[-1] / "checkpoint").exists()
        return stores

    def deaf(_: Stores) -> Funnel:
        raise KeyboardInterrupt

    for learn, ask in ((killed, home), (going_on, deaf)):
        with pytest.raises(KeyboardInterrupt):
            tune(stores, order, ask, learn, silent)
    assert tune(stores, order, home, refused, silent) == found(site(tmp_path / "other"), order)
    assert homes[0] == homes[1]
    assert not homes[0].exists()


def test_what_another_order_left_behind_is_not_gone_on_with(tmp_path: Path) -> None:
    (folder_of(tmp_path, "this") / "checkpoint").touch()
    assert (folder_of(tmp_path, "this") / "checkpoint").exists()
    assert not (folder_of(tmp_path, "that") / "checkpoint").exists()


def test_the_same_past_has_the_same_checkpoints(tmp_path: Path) -> None:
    stores, keys = site(tmp_path), []
    for _ in range(2):
        shelf = Shelf.of(stores.items)
        tuned_on = inside(read_all(stores.log, shelf, lambda _: None)[0], "time", shelf.shown)
        space = Workspace.build(stores, shelf, tuned_on.batch, tuned_on.cut, tmp_path / "in")
        data = read_dataset(space.stores, lambda *_: None)
        columns, how = current_columns(space.stores), stores.settings.training
        keys.append(Checkpoints.of_run(tmp_path, data, columns, how, NOW).key)
    assert keys[0] == keys[1]


def test_too_few_events_are_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="too few"):
        found(site(tmp_path, EVENTS[:3]))


def test_what_nobody_can_be_shown_is_left_out_and_said(tmp_path: Path) -> None:
    stray = [took(f"u{n}", "never-listed", START + n * DAY / 9) for n in range(30)]
    one, other = site(tmp_path / "one", EVENTS + stray), site(tmp_path / "two", EVENTS + stray)
    other.items.rows(["never-listed"], create=True)
    before, after = found(one), found(other)
    assert before == after
    assert before.sentences[0].startswith("30 events are left out")
