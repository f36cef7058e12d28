"""`palate simulate`: a crowd over HTTP against whole sites."""

import json

from tests.cli.running import palate, within

SMALL = ("--items", "200", "--users", "40", "--newcomers", "8", "--models", "position")


def test_the_report_compares_a_served_site_with_popularity_and_checks_its_propensities() -> None:
    asked = ("--report", "--no-train", "--seeds", "1", "--days", "2", "--json")
    done = palate("simulate", *SMALL, *asked, "--policies", "palate,popularity")
    assert done.returncode in {0, 1}, done.stderr
    told = json.loads(done.stdout)
    assert told["whole"]
    assert [run["policy"] for run in told["runs"]] == ["palate", "popularity"]
    assert told["runs"][0]["visits"] == told["runs"][1]["visits"]
    assert 0.05 < told["runs"][0]["explored"] < 0.2
    [chances] = told["propensities"]
    assert chances["certain"]
    assert chances["steady"] > 0.9
    assert chances["explored"] > 0
    assert chances["worst"] < 5.0


def test_it_loads_a_site_at_a_rate() -> None:
    done = palate("simulate", *SMALL, "--rate", "20", "--seconds", "2", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["asked"] == told["answered"] == 40
    assert told["refused"] == {}


def test_a_wrong_name_is_one_line() -> None:
    done = within("simulate", "--models", "telepathy")
    assert done.returncode == 2
    assert "telepathy; there are position, cascade, varied" in done.stderr
