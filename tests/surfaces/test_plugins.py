"""Another package's parts: found by entry point, asked where settings say so, named where wrong."""

import re
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import msgspec
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from palate.cli import check
from palate.errors import BadInput
from palate.evaluation.asking import Models
from palate.evaluation.overhearing import overheard
from palate.evaluation.split import Case
from palate.evaluation.tuning.quotas import proposals
from palate.evaluation.workspace import Workspace
from palate.funnel.engine import Funnel
from palate.funnel.stages import name_of
from palate.funnel.worth import SENSIBLE
from palate.ranking.fusion import Fusion
from palate.settings import FILE, PluginSettings
from palate.stores import Stores
from palate.surfaces import funnel, plugins
from palate.surfaces.home import generators
from palate.testing.tiny import NOW, tiny_stores, tiny_world, waited

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


class Mistaken(LastFirst):
    reads = ("item_takers", "itm_takers")


class Misheard(LastFirst):
    reads = ("popular_score", "covist_rank")


class ReadsMine(LastFirst):
    reads = ("mine_score", "covisit_rank")


class Strange(LastFirst):
    reads = ("zzz",)


class Short(LastFirst):
    def score(self, query, pool, features):
        return np.ones(3, np.float32)


class Stops(LastFirst):
    def score(self, query, pool, features):
        raise ZeroDivisionError("no order")


class UnbuiltRanker(LastFirst):
    @classmethod
    def default(cls, stores):
        return {}["model"]


class Silent(Mine):
    async def generate(self, query, limit):
        raise ZeroDivisionError("no answer")


class Uneven(Mine):
    async def generate(self, query, limit):
        said = await Popular.generate(self, query, limit)
        return type(said)(said.rows, said.scores[:-1])


class Nothing:
    pass


def learn(told):
    raise ZeroDivisionError("nothing to\\ndivide by")


class Unbuilt(Mine):
    @classmethod
    def default(cls, stores):
        return {}["model"]


class Breaks(Mine):
    async def generate(self, query, limit):
        raise ZeroDivisionError("no answer")


Broken = brought("Broken", learn)
"""
ENTRIES = """
[palate.generators]
mine = palate_mine:Mine
gone = palate_mine:Gone
nothing = palate_mine:Nothing
absent = palate_absent:Mine
broken = palate_mine:Broken
breaks = palate_mine:Breaks
unbuilt = palate_mine:Unbuilt
unread = palate_unread:Mine
silent = palate_mine:Silent
gone_mine = palate_absent:Mine
uneven = palate_mine:Uneven
[palate.rankers]
last_first = palate_mine:LastFirst
unbuilt = palate_mine:UnbuiltRanker
mistaken = palate_mine:Mistaken
strange = palate_mine:Strange
misheard = palate_mine:Misheard
reads_mine = palate_mine:ReadsMine
short = palate_mine:Short
stops = palate_mine:Stops
"""


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package, as pip would have installed it."""
    (tmp_path / "palate_mine.py").write_text(MODULE)
    (tmp_path / "palate_unread.py").write_text("def Mine(:\n")
    told = tmp_path / "palate_mine-1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: palate-mine\nVersion: 1.0\n")
    (told / "entry_points.txt").write_text(ENTRIES)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "palate_mine", raising=False)
    monkeypatch.setattr(plugins, "_broken", {})
    monkeypatch.setattr(plugins, "_said", set())


def with_plugins(**named: object) -> Stores:
    stores = tiny_stores()
    told = msgspec.convert(named, PluginSettings)
    return replace(stores, settings=msgspec.structs.replace(stores.settings, plugins=told))


def nobody() -> Case:
    none = np.empty(0, np.int32)
    return Case(0, "warm", NOW, none, none.astype(np.int64), none, none.astype(np.float64))


def built_with(ranker: str) -> Funnel:
    return funnel("home", with_plugins(ranker=ranker))


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


@pytest.mark.parametrize("generator", ["mine", "gone_mine"])
def test_a_ranker_may_read_another_package_s_generator_whether_or_not_that_breaks(
    generator: str,
) -> None:
    stores = with_plugins(generators=[generator], ranker="reads_mine")
    assert name_of(funnel("home", stores).ranker) == "reads_mine"
    assert name_of(funnel("new_for_you", stores).ranker) == "reads_mine"


def test_every_generator_of_home_may_be_read() -> None:
    assert {name_of(each) for each in generators(tiny_stores())} <= set(SENSIBLE)


def test_what_no_settings_name_is_not_asked() -> None:
    assert "Mine" not in {type(each).__name__ for each in generators(tiny_stores())}


@pytest.mark.parametrize(
    ("named", "why"),
    [
        (
            {"generators": ["theirs"]},
            "no package brings 'theirs' .*there are absent, breaks",
        ),
        ({"generators": ["nothing"]}, "has no method default"),
        ({"ranker": "mistaken"}, r"Mistaken\) reads 'itm_takers', .* did you mean 'item_takers'\?"),
        ({"ranker": "misheard"}, r"reads 'covist_rank', .* did you mean 'covisit_rank'\?"),
        ({"ranker": "reads_mine"}, r"reads 'mine_score', and there is no such feature"),
        ({"ranker": "strange"}, r"Strange\) reads 'zzz', .*; `palate features` lists them all"),
        ({"ranker": "mine"}, r"\[plugins\] ranker: no package brings 'mine'.*are last_first"),
    ],
)
def test_what_is_not_there_or_no_part_is_refused_by_name(
    named: dict[str, object], why: str
) -> None:
    with pytest.raises(BadInput, match=why):
        funnel("home", with_plugins(**named))


@pytest.mark.parametrize(
    ("named", "why"),
    [
        ({"generators": ["gone"]}, r"'gone' \(palate_mine:Gone\) is .* no attribute 'Gone'"),
        ({"generators": ["absent"]}, "broke: ModuleNotFoundError: No module named 'palate_absent'"),
        ({"generators": ["unread"]}, r"broke: SyntaxError: .*palate_unread.py, line 1"),
        (
            {"generators": ["broken"]},
            r"'broken' \(palate_mine:Broken\) is .* nothing to divide by \(line \d+ of .*e_mine.py",
        ),
        ({"generators": ["unbuilt"]}, r"broke: KeyError: 'model' \(line \d+ of .*palate_mine.py"),
        ({"ranker": "unbuilt"}, r"\[plugins\] ranker: 'unbuilt'.* left out, .*KeyError: 'model'"),
    ],
)
def test_a_part_that_breaks_is_left_out_and_said_once(
    named: dict[str, object], why: str, caplog: pytest.LogCaptureFixture
) -> None:
    stores = with_plugins(**named)
    for _ in range(2):
        built = funnel("home", stores)
    plain = funnel("home", tiny_stores())
    assert built.names == plain.names
    assert type(built.ranker) is type(plain.ranker)
    assert waited(built.answer(tiny_world().query("u0"))).step == "full"
    assert [each.name for each in caplog.records] == ["palate.plugins"]
    assert plugins.left_out(stores.settings.plugins) == [caplog.messages[0]]
    assert re.search(why, caplog.messages[0])


def test_a_part_that_is_well_again_is_no_longer_spoken_of(monkeypatch: pytest.MonkeyPatch) -> None:
    stores = with_plugins(generators=["unbuilt"])
    generators(stores)
    assert plugins.left_out(stores.settings.plugins)
    mended = vars(sys.modules["palate_mine"])["Mine"].default
    monkeypatch.setattr(vars(sys.modules["palate_mine"])["Unbuilt"], "default", mended)
    assert name_of(generators(stores)[-1]) == "mine"
    assert not plugins.left_out(stores.settings.plugins)


def checked(home: Path, plugins_told: str, *more: str) -> Result:
    (home / FILE).write_text(f"[plugins]\n{plugins_told}\n", "utf-8")
    return CliRunner().invoke(check.app, ["--site", str(home), *more])


def test_check_names_a_part_that_breaks_and_a_start_goes_on_without_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    done = checked(tmp_path, 'generators = ["unbuilt", "unread"]\nranker = "unbuilt"')
    assert isinstance(done.exception, BadInput)
    assert [each.pointer for each in done.exception.problems] == ["/plugins"] * 3
    for name in ("generators: 'unbuilt'", "generators: 'unread'", "ranker: 'unbuilt'"):
        assert f"[plugins] {name}" in done.exception.detail
    assert not caplog.messages, "one line, not two"
    started = checked(tmp_path, 'generators = ["unbuilt"]', "--starting")
    assert started.exit_code == 0
    assert "remark: [plugins] generators: 'unbuilt' (palate_mine:Unbuilt) is left" in started.output
    assert checked(tmp_path, 'generators = ["mine"]').exit_code == 0


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("short", r"^ValueError: \(3,\) scores, or some not finite, of \d+ items$"),
        ("stops", "^ZeroDivisionError: no order$"),
    ],
)
def test_a_ranker_that_breaks_is_named(
    name: str, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    stores = with_plugins(ranker=name)
    answer = waited(funnel("home", stores).answer(tiny_world().query("u0")))
    assert answer.step == "retrieval"
    assert re.search(why, answer.trace.skipped[f"rank.{name}"])
    assert "rank" in {stage.name for stage in answer.trace.stages}, "timed as any other"
    models = Models(overheard(funnel("home", stores)), Fusion.default(stores), {}, ())
    for _ in range(2):
        said = waited(models.ask(nobody(), tiny_world().query("u0")))
        assert not len(said["ranker"])
    assert "ranker" in Models(overheard(built_with("last_first")), models.fusion, {}, ()).names
    assert len(caplog.messages) == 1, "once"
    assert f"rank.{name} breaks, so the row of ranker is poor or missing" in caplog.messages[0]


@pytest.mark.parametrize("wanted", [("{}",), ()])
@pytest.mark.parametrize(
    ("name", "why"),
    [("silent", "ZeroDivisionError: no answer"), ("uneven", r"scores")],
)
def test_a_generator_that_breaks_is_named_by_evaluation_and_has_no_row(
    name: str, why: str, wanted: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    stores = with_plugins(generators=(name,))
    asked = tuple(each.format(name) for each in wanted)
    models = Models(overheard(funnel("home", stores)), Fusion.default(stores), {}, asked)
    for _ in range(2):
        said = waited(models.ask(nobody(), tiny_world().query("u0")))
        assert not len(said[name])
    (told,) = caplog.messages
    assert f"generate.{name} breaks, so the row of {name} is poor or missing" in told
    assert re.search(why, told)


def test_a_generator_that_breaks_is_named_by_tuning_and_proposes_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    home = funnel("home", with_plugins(generators=("silent", "uneven")))
    space = SimpleNamespace(query=lambda *_: tiny_world().query("u0"))
    asked = proposals(cast("Workspace", space), home, [nobody(), nobody()], 0, lambda _: None)
    found = dict(zip(asked.names, asked.said[1], strict=True))
    assert not len(found["silent"])
    assert not len(found["uneven"])
    assert len(found["popular"])
    assert len(caplog.messages) == 2, "once each"
    assert "generator silent breaks, and proposes nothing where it does" in caplog.text
