"""A surface of a site's own is one file; a wrong one is named with its line."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from palate.errors import BadInput
from palate.funnel.types import Answer
from palate.settings import FILE
from palate.stores import Stores
from palate.surfaces import funnel, funnels, names
from palate.testing.tiny import tiny_stores, tiny_world, waited

LATE_NIGHT = """
from palate.funnel.engine import Funnel
from palate.ranking.fusion import Fusion
from palate.reranking.hide_policy import HidePolicy
from palate.retrieval.popular import Popular


def late_night(stores):
    return Funnel(
        stores=stores,
        generators=(Popular.default(stores),),
        filters=(HidePolicy(stores.columns),),
        ranker=Fusion({"popular": 1.0}),
        rules=(),
    )
"""


def site(home: Path, name: str, text: str, **surfaces: dict[str, int]) -> Stores:
    (home / FILE).write_text("")
    (home / "surfaces").mkdir(exist_ok=True)
    (home / "surfaces" / f"{name}.py").write_text(text)
    stores = tiny_stores()
    return replace(
        stores, settings=msgspec.structs.replace(stores.settings, home=home, surfaces=surfaces)
    )


def asked(stores: Stores, name: str) -> Answer:
    return waited(funnel(name, stores).answer(tiny_world().query("u1", name)))


def test_a_file_below_the_site_is_a_surface_with_numbers_of_its_own(tmp_path: Path) -> None:
    stores = site(tmp_path, "late_night", LATE_NIGHT, late_night={"pool": 5})
    assert "late_night" in names(tmp_path)
    assert "late_night" not in names()
    assert "late_night" in funnels(stores)
    assert len(asked(stores, "late_night").slate) == 5


def test_policy_acts_on_a_surface_that_lists_no_filter(tmp_path: Path) -> None:
    bare = LATE_NIGHT.replace("HidePolicy(stores.columns),", "")
    stores = site(tmp_path, "late_night", bare)
    limits = stores.columns.min_age[1].copy()
    stores.columns.servable[0], stores.columns.min_age[1] = 0, 18
    try:
        shown = asked(stores, "late_night").slate.rows.tolist()
    finally:  # the world is everybody's
        stores.columns.servable[0], stores.columns.min_age[1] = 1, limits
    assert shown
    assert not {0, 1} & set(shown)
    kept = [type(each).__name__ for each in funnel("late_night", stores).filters]
    assert kept == ["HideMuted", "HidePolicy"]


def test_it_may_stand_in_the_place_of_one_of_ours(tmp_path: Path) -> None:
    stores = site(tmp_path, "trending", LATE_NIGHT.replace("late_night", "trending"))
    board = tiny_stores().boards.top("popular", 10)[0].tolist()
    assert asked(stores, "trending").slate.rows.tolist()[:3] == board[:3]


def test_a_folder_that_is_no_site_has_none(tmp_path: Path) -> None:
    site(tmp_path, "late_night", LATE_NIGHT)
    (tmp_path / FILE).unlink()
    assert names(tmp_path) == names()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("def late_night(stores)\n", "SyntaxError in line 1"),
        ("\nimport nothing_of_the_kind\n", "ModuleNotFoundError in line 2"),
        ("def other(stores): ...\n", "no function late_night"),
        ("def late_night(stores): return 5\n", "gave a int, not a Funnel"),
        ("def late_night(stores):\n    return stores.nothing\n", "AttributeError in line 2"),
    ],
)
def test_a_file_with_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    stores = site(tmp_path, "late_night", text)
    with pytest.raises(BadInput, match=told) as wrong:
        funnels(stores)
    assert "late_night.py" in wrong.value.detail
