"""Another package's parts: found by entry point, asked where settings say so, named where wrong."""

import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from palate.errors import BadInput
from palate.settings import PluginSettings
from palate.stores import Stores
from palate.surfaces import funnel
from palate.surfaces.home import generators
from palate.testing.tiny import tiny_stores, tiny_world, waited

MODULE = """
from dataclasses import dataclass
import numpy as np
from palate.retrieval.popular import Popular
from palate.retrieval.brought import brought


@dataclass(frozen=True, slots=True)
class Mine(Popular):
    pass


@dataclass(frozen=True, slots=True)
class LastFirst:
    reads = ()

    @classmethod
    def default(cls, stores):
        return cls()

    def score(self, query, pool, features):
        return pool.rows.astype(np.float32)


class Nothing:
    pass
"""
ENTRIES = """
[palate.generators]
mine = palate_mine:Mine
gone = palate_mine:Gone
nothing = palate_mine:Nothing
absent = palate_absent:Mine
[palate.rankers]
last_first = palate_mine:LastFirst
"""


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package, as pip would have installed it."""
    (tmp_path / "palate_mine.py").write_text(MODULE)
    told = tmp_path / "palate_mine-1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: palate-mine\nVersion: 1.0\n")
    (told / "entry_points.txt").write_text(ENTRIES)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "palate_mine", raising=False)


def with_plugins(**plugins: object) -> Stores:
    stores = tiny_stores()
    told = msgspec.convert(plugins, PluginSettings)
    return replace(stores, settings=msgspec.structs.replace(stores.settings, plugins=told))


def test_a_generator_and_a_ranker_of_another_package_make_the_page() -> None:
    stores = with_plugins(generators=["mine"], ranker="last_first")
    answer = waited(funnel("home", stores).answer(tiny_world().query("u0")))
    assert answer.trace.pool is not None
    assert answer.trace.ranked is not None
    assert answer.trace.pool.generators[-1] == "mine"
    assert (answer.trace.pool.ranks[:, -1] > 0).any()
    ranked = answer.trace.ranked.rows.tolist()
    assert ranked == sorted(ranked, reverse=True)
    assert answer.trace.skipped == {}


def test_what_no_settings_name_is_not_asked() -> None:
    assert "Mine" not in {type(each).__name__ for each in generators(tiny_stores())}


@pytest.mark.parametrize(
    ("plugins", "why"),
    [
        ({"generators": ["theirs"]}, "no package brings 'theirs' .*there are absent, gone, mine"),
        ({"generators": ["gone"]}, r"'gone' \(palate_mine:Gone\) cannot be loaded"),
        ({"generators": ["absent"]}, "cannot be loaded: No module named 'palate_absent'"),
        ({"generators": ["nothing"]}, "has no method default"),
        ({"ranker": "mine"}, r"\[plugins\] ranker: no package brings 'mine'.*are last_first"),
    ],
)
def test_what_is_not_there_or_no_part_is_refused_by_name(
    plugins: dict[str, object], why: str
) -> None:
    with pytest.raises(BadInput, match=why):
        funnel("home", with_plugins(**plugins))
