"""`GET /v1/ledger/{surface}`: the books of live requests, against what people really took."""

import json
from dataclasses import replace
from fractions import Fraction
from math import prod
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from tests.serving.conftest import Json, SmallSite
from typer.testing import CliRunner

from palate.catalog.user import user_key
from palate.cli.ledger import app
from palate.serving.accounting.books import Books
from palate.serving.accounting.sampling import Sampler
from palate.settings_loop import LedgerSettings
from palate.testing.tiny import NOW

LATER = 31 * 60.0


def sampler(site: SmallSite) -> Sampler:
    return site.app.state["runtime"].sampler


@pytest.fixture
def sampled(site: SmallSite) -> SmallSite:
    """A site that keeps the books of every request."""
    sampler(site).settings = LedgerSettings(share=1.0)
    return site


def act(user: str, item: str, kind: str = "click", after: float = 60.0) -> Json:
    return {"kind": kind, "user_id": user, "item_id": item, "time": int((NOW + after) * 1e3)}


def send(site: SmallSite, *acts: Json) -> None:
    """Send what happens later; then it is now again."""
    site.clock.time = NOW + 2 * 3_600.0
    site.send(*acts)
    site.clock.time = NOW


def settled(site: SmallSite, after: float = LATER) -> int:
    with site.client.portal() as portal:
        return portal.call(sampler(site).settle, site.stores, NOW + after)


def books(site: SmallSite, surface: str = "home", **query: Any) -> Json:
    answer = site.client.get(f"/v1/ledger/{surface}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_what_visitors_took_is_accounted_for_and_multiplies_to_the_recall(
    sampled: SmallSite,
) -> None:
    pages = {user: sampled.slate(user_id=user, limit=3)["items"] for user in ("u1", "u2", "u3")}
    shown = pages["u1"][0]["item_id"]
    unseen = [f"{genre}-{n}" for genre in ("horror", "space") for n in range(6)]
    send(
        sampled,
        act("u1", shown, "view"),
        act("u1", shown, "like", 61.0),
        *(act("u1", item) for item in unseen),
        act("u1", "romance-1", "skip"),
        act("u2", "romance-2", "view", 29 * 60.0),
        act("u2", "romance-3", "view", 32 * 60.0),
    )
    assert settled(sampled) == 3
    told = books(sampled)
    assert told["requests"] == 3
    assert told["relevant"] == 1 + len(unseen) + 1, "a skip takes nothing, and too late is too late"
    on_page = {each["item_id"] for each in pages["u1"]}
    assert told["shown"] == len(on_page & {shown, *unseen}) + (
        "romance-2" in {each["item_id"] for each in pages["u2"]}
    )
    kept = [Fraction(line["left"], line["left"] + line["lost"]) for line in told["stages"]]
    assert prod(kept) == Fraction(told["shown"], told["relevant"])
    assert told["recall"] == told["shown"] / told["relevant"]
    assert any(each["found"] for each in told["generators"])
    assert (told["share"], told["wait_minutes"]) == (1.0, 30.0)
    assert books(sampled, "trending")["requests"] == 0


def test_acts_count_as_long_as_attribution_says_of_their_kind(sampled: SmallSite) -> None:
    sampler(sampled).settings = LedgerSettings(share=1.0, wait_minutes=120.0)
    sampled.slate(user_id="u1", limit=3)
    send(
        sampled, act("u1", "horror-1", "click", 90 * 60.0), act("u1", "horror-2", "view", 90 * 60.0)
    )
    assert settled(sampled, 121 * 60.0) == 1
    assert books(sampled)["relevant"] == 1, "a click counts for an hour, a view for a day"


def test_nothing_is_told_before_its_time_nor_of_whom_nobody_knows(sampled: SmallSite) -> None:
    sampled.slate(limit=3)
    page = sampled.slate(user_id="u1", limit=3)
    sampled.slate(user_id="u1", limit=3, cursor=page["next"])
    sampled.settle()
    assert sampler(sampled).waiting == 1
    assert settled(sampled, 29 * 60.0) == 0
    assert settled(sampled) == 1
    assert sampler(sampled).waiting == 0


def test_a_worker_holds_so_many_and_lets_go_of_who_is_deleted(sampled: SmallSite) -> None:
    sampler(sampled).settings = LedgerSettings(share=1.0, most=2)
    for user in ("u1", "u2", "u3"):
        sampled.slate(user_id=user, limit=3)
    sampled.settle()
    assert sampler(sampled).waiting == 2
    sampler(sampled).forget(user_key("u1"))
    assert sampler(sampled).waiting == 1
    with sampled.followed():
        assert sampled.client.delete("/v1/users/u2").status_code == 204
    assert sampler(sampled).waiting == 0


def test_a_share_is_sampled_and_none_where_none_is_wanted(site: SmallSite) -> None:
    sampler(site).settings = LedgerSettings(share=0.0)
    site.slate(user_id="u1", limit=3)
    site.settle()
    assert sampler(site).waiting == 0


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/v1/ledger/hom", 404, "no surface 'hom'"),
        ("/v1/ledger/home?days=0", 422, "between 1 and 90"),
    ],
)
def test_what_is_wrong_is_named(site: SmallSite, path: str, status: int, told: str) -> None:
    answer = site.client.get(path)
    assert answer.status_code == status, answer.text
    assert told in answer.text


def test_the_command_tells_the_same(sampled: SmallSite, monkeypatch: pytest.MonkeyPatch) -> None:
    sampled.slate(user_id="u1", limit=3)
    send(sampled, act("u1", "horror-1"), act("u1", "horror-2"))
    settled(sampled)
    monkeypatch.setattr("palate.cli.ledger.SystemClock", lambda: sampled.clock)
    asked = ["--live", "--json", "--site", str(sampled.settings.home)]
    told = json.loads(CliRunner().invoke(app, asked, catch_exceptions=False).stdout)
    assert told == {name: books(sampled)[name] for name in told}
    assert told["requests"] == 1
    shown = CliRunner().invoke(app, asked[:1] + asked[2:], catch_exceptions=False).stdout
    assert "1 sampled requests, 2 items taken" in shown


def test_books_of_several_workers_and_days_add_up_and_old_ones_go(
    sampled: SmallSite, tmp_path: Path
) -> None:
    for user in ("u1", "u2"):
        sampled.slate(user_id=user, limit=3)
    send(sampled, *(act(user, f"horror-{n}") for user in ("u1", "u2") for n in range(4)))
    settled(sampled)
    one = sampler(sampled).books.read(NOW, "home")
    first, other = Books(tmp_path / "more.db", 2), Books(tmp_path / "more.db", 2)
    first.add(NOW, "home", one)
    other.add(NOW + 86_400.0, "home", one)
    both = first.read(NOW, "home")
    assert (both.requests, both.relevant) == (2 * one.requests, 2 * one.relevant)
    assert both.generators == one.generators
    assert [line.kept for line in both.lines()] == [line.kept for line in one.lines()]
    assert first.read(NOW + 86_400.0, "home").requests == one.requests
    other.add(NOW + 2 * 86_400.0, "home", one)
    assert first.read(NOW, "home").requests == 2 * one.requests
    first.close()
    other.close()


def test_settings_have_bounds() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"share": 1.5}, LedgerSettings)


def test_samples_do_not_keep_a_release_that_went(sampled: SmallSite) -> None:
    sampled.slate(user_id="u1", limit=3)
    sampled.settle()
    assert settled(sampled, 1.0) == 0
    assert sampler(sampled).waiting == 1
    other = replace(sampled.stores, release=cast("Any", object()))
    with sampled.client.portal() as portal:
        assert portal.call(sampler(sampled).settle, other, NOW + 1.0) == 0
    assert sampler(sampled).waiting == 0
