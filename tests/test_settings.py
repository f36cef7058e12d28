import re
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from palate.errors import BadInput
from palate.settings import Settings
from palate.settings_files import given, load, write_tuned
from palate.template import template


def site(folder: Path, text: str = "") -> Path:
    (folder / "palate.toml").write_text(text, "utf-8")
    return folder


def test_an_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    assert load(site(tmp_path), {}) == Settings(home=tmp_path.resolve())


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    site(tmp_path, "[serving]\nport = 1\nworkers = 2\n")
    environment = {
        "PALATE_SERVING__PORT": "8701",
        "PALATE_SERVING__API_KEYS": '["a", "b"]',
        "PALATE_EXPLORE__EPSILON": "0.5",
        "PALATE_RANKING__VALUE": "{ click = 2 }",
        "PALATE_SITE__NAME": "42",
        "PALATE_DATA": "/data",
        "OTHER__THING": "x",
    }
    settings = load(tmp_path, environment)
    assert (settings.serving.port, settings.serving.workers) == (8701, 2)
    assert settings.serving.api_keys == ("a", "b")
    assert settings.explore.epsilon == 0.5
    assert settings.ranking.value == {"click": 2.0}
    assert settings.site.name == "42"


@pytest.mark.parametrize(
    ("text", "environment", "why"),
    [
        ("[serving]\nprot = 1\n", {}, "prot"),
        ("[serving]\nport = 'x'\n", {}, "port"),
        ("[serving]\nport = 70000\n", {}, "[serving] port: it must be at most 65535"),
        ("[explore]\nepsilon = 2\n", {}, "it must be at most 1"),
        ("[nothing]\n", {}, "nothing"),
        ("[serving]\nprot = 1\n", {}, "[serving] has no 'prot'; did you mean 'port'?"),
        ("[serving]\nport = 'x'\n", {}, "[serving] port: a whole number is wanted, not text"),
        ("[explore]\nmethod = 'thomson'\n", {}, "'thomson' is none of 'thompson', 'greedy'"),
        ("[site]\n[serving]\n[serving]\n", {}, "[serving] is there twice (at line 3"),
        ("[training]\ndropout = 'x'\n", {}, "dropout: 'x' is none of 'auto', a number"),
        ("[attribution.hours]\nclck = 1\n", {}, "[attribution] hours: 'clck' is none of 'click'"),
        ("[serving]\nport = 1\nport = 2\n", {}, "a name that is there already (at line 3"),
        ("[pages.kids]\nleast = 'x'\n", {}, "[pages.…] least: a whole number is wanted"),
        ("serving = 3\n", {}, "serving"),
        ("[serving\n", {}, "line 1"),
        ("", {"PALATE_SERVING__PORT": "high"}, "port"),
        ("", {"PALATE_SERVNG__PORT": "1"}, "PALATE_SERVNG__PORT names no table"),
        ("serving = 3\n", {"PALATE_SERVING__PORT": "1"}, "names no table"),
        ("", {"PALATE_SERVING__API_KEYS": "[x"}, "Invalid value"),
    ],
)
def test_a_wrong_name_or_value_is_refused(
    tmp_path: Path, text: str, environment: dict[str, str], why: str
) -> None:
    with pytest.raises(BadInput, match=re.escape(why)):
        load(site(tmp_path, text), environment)


def test_a_folder_without_a_file_is_no_site(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"is not a site: it has no palate\.toml; .*make one with"):
        load(tmp_path, {})


def test_latin_1_in_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "palate.toml").write_bytes("# é".encode("latin-1"))
    with pytest.raises(BadInput, match="utf-8"):
        load(tmp_path, {})


def tables() -> dict[str, Any]:
    held = {f.name: f.default for f in msgspec.structs.fields(Settings)}
    return {name: part for name, part in held.items() if isinstance(part, msgspec.Struct)}


def test_the_template_shows_every_setting_at_its_default() -> None:
    shown = re.sub(r'^#(?=["a-z\[])', "", template(), flags=re.MULTILINE)
    tree = tomllib.loads(shown)
    assert tree.pop("surfaces") == {"home": {"at_most.cap": 3}}
    assert tree.pop("pages") == {"kids": {"rows": ["home", "new_for_you"]}}
    assert {name: set(table) for name, table in tree.items()} == {
        name: set(part.__struct_fields__) for name, part in tables().items()
    }
    assert msgspec.convert(tree, Settings) == Settings()


def test_the_template_changes_nothing_until_it_is_edited(tmp_path: Path) -> None:
    assert load(site(tmp_path, template()), {}) == Settings(home=tmp_path.resolve())


def test_every_setting_and_table_says_what_it_means() -> None:
    lines = template().splitlines()
    for above, line in pairwise(lines):
        if re.match(r"#[a-z_]+ = |\[", line):
            assert re.match(r"# \S", above), f"{line} has no meaning"


def test_a_path_is_below_the_sites_folder(tmp_path: Path) -> None:
    settings = load(site(tmp_path), {})
    assert settings.path("columns") == tmp_path.resolve() / "columns"
    assert settings.path("/else") == Path("/else")


def test_what_was_tuned_lies_between_the_defaults_and_the_file(tmp_path: Path) -> None:
    site(tmp_path, "[covisit]\nwindow = 7\n")
    write_tuned(tmp_path, {"covisit": {"window": 3, "decay": 0.9, "alpha": 0.1}})
    settings = load(tmp_path, {"PALATE_COVISIT__ALPHA": "0.3"})
    found = settings.covisit
    assert (found.window, found.decay, found.alpha, found.beta) == (7, 0.9, 0.3, 0.2)
    assert given(tmp_path, {"PALATE_COVISIT__ALPHA": "0.3"})["covisit"].keys() == {
        "window",
        "alpha",
    }


def test_a_second_tuning_leaves_what_the_first_one_found_beside_it(tmp_path: Path) -> None:
    site(tmp_path)
    write_tuned(tmp_path, {"covisit": {"decay": 0.9}})
    write_tuned(tmp_path, {"retrieval": {"quotas": {"covisit": 30, "popular": 0}}})
    settings = load(tmp_path, {})
    assert settings.covisit.decay == 0.9
    assert settings.retrieval.quotas == {"covisit": 30, "popular": 0}


def test_a_wrong_tuned_file_is_named(tmp_path: Path) -> None:
    site(tmp_path)
    (tmp_path / "tuned.toml").write_text("[covisit]\ndecay = 7\n")
    with pytest.raises(BadInput, match=r"tuned\.toml: .*decay"):
        load(tmp_path, {})
