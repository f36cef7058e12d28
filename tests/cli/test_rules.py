"""`palate rules`: what operators do from a shell, and what the other commands then say."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer import Typer
from typer.testing import CliRunner

from palate.catalog.item import Item
from palate.cli import check, recommend, rules, why
from palate.errors import BadInput, Conflict, NotFound
from palate.settings import FILE
from palate.settings_files import load
from palate.stores import close, open_stores
from palate.testing.tiny import tiny_site

PIN = {"id": "choice", "kind": "pin", "items": ["romance-5"], "slots": [1], "note": "for anna"}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / FILE).write_text(
        '[rules.no-horror]\nkind = "block"\nwhere = \'"horror" in categories\'\n', "utf-8"
    )
    stores, _ = tiny_site(load(tmp_path, {}))
    close(stores)
    return tmp_path


def told(app: Typer, site: Path, *arguments: str, given: str | None = None) -> str:
    arguments = (*arguments, "--site", str(site))
    done = CliRunner().invoke(app, arguments, input=given, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def facts(app: Typer, site: Path, *arguments: str, given: str | None = None) -> Any:
    return json.loads(told(app, site, *arguments, "--json", given=given))


def test_a_rule_from_its_draft_to_its_end(site: Path) -> None:
    preview = facts(rules.app, site, "preview", json.dumps(PIN), "--user", "u1")
    assert preview["slates"][0]["after"][0]["rules"] == ["pin:choice put it here"]
    assert "choice" in told(rules.app, site, "preview", json.dumps(PIN), "--user", "u1")
    assert facts(rules.app, site, "add", json.dumps(PIN))["version"] == 1
    first = facts(recommend.app, site, "--user", "u1")["items"][0]
    assert (first["item_id"], first["reason"]) == ("romance-5", "Chosen by us")
    listed = facts(rules.app, site, "list")["rules"]
    assert [(each["id"], each["in"]) for each in listed] == [
        ("no-horror", "file"),
        ("choice", "book"),
    ]
    assert "choice" in told(rules.app, site, "list")
    assert facts(rules.app, site, "remove", "choice")["version"] == 2
    lines = facts(rules.app, site, "audit")["changes"]
    assert [each["action"] for each in lines] == ["removed", "added", "added"]
    assert lines[0]["who"].endswith("(cli)")
    assert (lines[2]["who"], lines[2]["rule_id"]) == ("palate.toml", "no-horror")
    assert "removed" in told(rules.app, site, "audit")


def test_a_rule_comes_from_a_file_or_standard_input(site: Path, tmp_path: Path) -> None:
    file = tmp_path / "choice.json"
    file.write_text(json.dumps(PIN), "utf-8")
    assert facts(rules.app, site, "add", str(file))["rule"]["id"] == "choice"
    table = tmp_path / "up.toml"
    table.write_text('id = "up"\nkind = "boost"\nwhere = "min_age > 3"\nby = 1.0\n', "utf-8")
    assert facts(rules.app, site, "add", str(table))["version"] == 2
    again = json.dumps(PIN | {"slots": [2]})
    assert facts(rules.app, site, "add", "-", given=again)["version"] == 3


def test_why_names_the_rule_that_took_an_item(site: Path) -> None:
    found = facts(why.app, site, "u1", "horror-1")
    assert (found["stage"], found["part"]) == ("filter", "block:no-horror")


def test_a_word_that_no_item_has_is_remarked(site: Path) -> None:
    draft = json.dumps({"id": "d", "kind": "block", "where": '"Drama" in categories'})
    said = "rule d matches no item today: no item has 'Drama' in categories; did you mean 'drama'?"
    assert facts(rules.app, site, "preview", draft, "--user", "u1")["remarks"] == [said]
    added = CliRunner().invoke(rules.app, ["add", draft, "--json", "--site", str(site)])
    assert json.loads(added.stdout)["remarks"] == [said]
    assert added.stderr == f"remark: {said}\n"
    done = CliRunner().invoke(check.app, ["--site", str(site)])
    assert (done.exit_code, done.stderr) == (0, f"remark: {said}\n")


UNFIT = '[rules.kids]\nkind = "restrict"\nmin_age = 18\nwhere = "min_aeg > 3"\n'
SAID = "rule kids: /where:1: there is no field min_aeg; there are min_age"


def test_check_refuses_a_rule_that_cannot_act_and_a_start_remarks_it(site: Path) -> None:
    (site / FILE).write_text(UNFIT, "utf-8")
    with pytest.raises(BadInput, match=SAID):
        told(check.app, site)
    done = CliRunner().invoke(check.app, ["--starting", "--site", str(site)])
    assert done.exit_code == 0
    assert done.stderr.startswith("remark: rule kids cannot act as it is written: /where:1: ")
    found = facts(why.app, site, "session:s", "horror-1")
    assert found["part"] == "restrict:kids"
    assert "there is no field min_aeg; there are min_age" in found["sentence"]


def test_check_lets_a_site_without_items_have_rules_on_what_will_come(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(UNFIT, "utf-8")
    stores = open_stores(load(tmp_path, {}))
    stores.items.put([Item(item_id="not-folded-yet")])
    close(stores)
    done = CliRunner().invoke(check.app, ["--site", str(tmp_path)])
    assert done.exit_code == 0
    assert "there is no field min_aeg" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "wrong", "says"),
    [
        (("add", "nothing.json"), BadInput, "nothing.json cannot be read"),
        (("add", "{"), BadInput, "this is not a rule"),
        (("add", '{"id": "a", "kind": "pim"}'), BadInput, "did you mean 'pin'?"),
        (("add", json.dumps(PIN | {"items": ["no-1"]})), BadInput, "there is no item 'no-1'"),
        (("add", json.dumps(PIN | {"id": "no-horror"})), Conflict, "palate.toml's"),
        (("remove", "x"), NotFound, "there is no rule 'x'"),
        (("preview", '{"id": "a"}'), BadInput, "/kind"),
    ],
)
def test_what_is_wrong_is_told(
    site: Path, arguments: tuple[str, ...], wrong: type[Exception], says: str
) -> None:
    with pytest.raises(wrong, match=says):
        told(rules.app, site, *arguments)
