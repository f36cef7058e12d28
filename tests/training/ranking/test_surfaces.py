"""A surface's own calibration: of what is given a twentieth there, one in twenty is taken."""

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from palate.funnel.stages import name_of
from palate.models.ranker import HEADS, Knots
from palate.models.trees import Trees
from palate.ranking.network import Network
from palate.releases.manifest import Manifest
from palate.releases.release import Release
from palate.surfaces import funnels
from palate.testing.tiny import tiny_stores
from palate.training.dataset import PagesShown
from palate.training.ranking.folds import Answer, Fold, Layout
from palate.training.ranking.lists import RankedList
from palate.training.ranking.surfaces import HEARD, _as_told, of_surfaces

SLOTS, RATE = 8, 0.05
NOTHING = np.zeros((0, 0), np.float32)


LEAF = np.array([-1], np.int32)
HOPEFUL = Trees(LEAF, np.zeros(1), LEAF, LEAF, np.array([0], np.int32))
"""One tree of one leaf: gives everything the same score, a half, whatever it is."""


def pages(count: int, surface: str, rate: float, start: int) -> list[RankedList]:
    """Pages at which each item is clicked with this probability."""
    dice = np.random.Generator(np.random.PCG64(start))
    made = []
    for n in range(count):
        labels = np.zeros((SLOTS, len(HEADS)), np.float32)
        labels[:, 0] = dice.random(SLOTS) < rate
        made.append(
            RankedList(
                user=n, now=0.0, rows=np.arange(SLOTS, dtype=np.int32),
                ranks=np.zeros((SLOTS, 1), np.int16), labels=labels, relevant=1,
                kept=np.arange(SLOTS), features=np.zeros((SLOTS, 1), np.float32), weight=1.0,
                position=start + n, place=np.arange(1, SLOTS + 1, dtype=np.int16), surface=surface,
            )
        )  # fmt: skip
    return made


def told(
    logged: Sequence[RankedList], features: tuple[str, ...] = ("x",), grown: Trees = HOPEFUL
) -> dict[str, dict[str, Knots]]:
    judge = pages(2, "", 0.5, 100)
    judge[1] = pages(1, "", 0.5, 10_000)[0]
    empty = np.zeros(0)
    answer = Answer(NOTHING, NOTHING, NOTHING[0:0, 0:0], empty, 1, grown)
    fold = Fold(judge, {}, {}, {"lambdamart": answer})
    knots = {head: Knots((0.0, 1.0), (0.0, 0.8)) for head in HEADS}
    return of_surfaces("lambdamart", Layout(features, ("g",), NOTHING, logged), [fold], knots)


def test_a_surface_promises_what_its_pages_kept() -> None:
    logged = [*pages(1_000, "home", RATE, 200), *pages(1_000, "trending", 0.5, 2_000)]
    found = told(logged)
    assert list(found) == ["home"], "rows are made by Home's generators"
    given = np.array([0.5], np.float32)
    assert found["home"]["click"].apply(given)[0] == pytest.approx(RATE, abs=0.02)
    like = found["home"]["positive"].apply(given)[0]
    assert like == pytest.approx(RATE, abs=0.02), "in proportion, where too little came true"


NAMES = ("fresh_rank", "fresh_score", "covisit_rank", "covisit_score", "found_by", "best_rank", "x")


def heard(logged: Sequence[RankedList], found: int) -> list[RankedList]:
    """The same pages, of which Fresh found the first so many items, and co-visitation all."""
    said = np.tile(np.array([0, 0, 1, 9, 1, 1, 4], np.float32), (SLOTS, 1))
    said[:found] = [0.5, 3, 1, 9, 2, 1, 4]
    return [replace(each, features=said) for each in logged]


def test_new_for_you_has_its_own_curve_of_what_its_generator_found() -> None:
    logged = pages(1_000, "new_for_you", RATE, 200)
    assert list(told(heard(logged, SLOTS), NAMES)) == ["new_for_you"]
    assert told(heard(logged, 0), NAMES) == {}, "nobody is asked what the surface never shows"
    few = [each for each in logged if each.labels[:, 0].any()][:150]
    assert list(told(heard(few, SLOTS), NAMES)) == ["new_for_you"]
    assert told(heard(few, 2), NAMES) == {}, "what came true of the others does not count"


def test_the_ranker_hears_of_a_page_of_new_for_you_what_it_hears_there() -> None:
    said = [_as_told(page, NAMES, HEARD["new_for_you"]) for page in heard(pages(2, "", 0, 0), 3)]
    for page in said:
        assert page.kept.tolist() == [0, 1, 2]
        assert page.features.tolist() == [[0.5, 3, 0, 0, 1, 0.5, 4]] * 3


def test_the_surfaces_that_are_calibrated_are_those_that_the_ranker_ranks() -> None:
    model: Any = SimpleNamespace(heads=HEADS, features=())
    manifest = Manifest(created=0.0, version="test", log_position=0)
    stores = replace(tiny_stores(), release=Release("r", manifest, ranker=model))
    built = funnels(stores)
    assert {name for name, each in built.items() if isinstance(each.ranker, Network)} == set(HEARD)
    for surface, names in HEARD.items():
        assert not names or set(map(name_of, built[surface].generators)) == names


def test_few_pages_or_pages_of_another_time_say_nothing() -> None:
    assert told(pages(20, "home", RATE, 200)) == {}
    assert told(pages(1_000, "home", RATE, 20_000)) == {}
    assert told([]) == {}


def test_only_pages_from_which_something_was_taken_are_learnt_from() -> None:
    logged = pages(100, "home", RATE, 200)
    layout = Layout(("x",), ("g",), NOTHING, logged)
    learnt = layout.learnable([], 10_000)
    assert 0 < len(learnt) < 60
    assert all(each.labels[:, 0].any() for each in learnt)


def test_the_log_tells_where_a_page_was() -> None:
    shown = PagesShown.of([(3, "home"), (7, "trending"), (9, "home")])
    assert [shown.surface(at) for at in (3, 7, 9, 4, 10)] == ["home", "trending", "home", "", ""]
    assert PagesShown.of([]).surface(3) == ""
