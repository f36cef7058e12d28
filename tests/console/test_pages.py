import json
import re
from collections.abc import Callable
from html import unescape

import pytest
from tests.console.conftest import Shop, cards, links

from palate.console.shelves import HOME, TRENDING, note
from palate.console.window import STATIC
from palate.events.kinds import Kind
from palate.settings import SiteSettings


def test_the_front_page_shows_a_newcomer_a_home_and_what_is_trending(shop: Shop) -> None:
    page = shop.page("/")
    assert "Hello, stranger" in page
    assert len(cards(page, "home")) > 5
    assert len(cards(page, "trending")) > 5
    assert cards(page, "because_you_watched") == []
    assert 'data-row="because_you_watched"' in page, "it waits, hidden, until there is a reason"


@pytest.mark.parametrize("who", [{}, {"user_id": "u2"}])
def test_no_item_is_on_the_page_twice(shop: Shop, who: dict[str, str]) -> None:
    if who:
        shop.be(**who)
    page = shop.page("/")
    rows = [cards(page, row) for row in ("home", "onboarding", "because_you_watched", "trending")]
    shown = [item for row in rows for item in row]
    assert len(shown) == len(set(shown))
    above = "".join(f"&above={item}" for item in rows[0])
    assert not set(rows[0]) & set(cards(shop.page(f"/row/trending?back=/{above}"), "trending"))


def test_a_creator_can_be_followed_or_hidden_on_the_page_of_an_item(shop: Shop) -> None:
    shop.client.put("/v1/items/sung", json={"title": "Aria", "creator_id": "maria"})
    shop.worker.drain()
    page = shop.page("/item/sung")
    form = re.search(r'<form class="acts wide creator".*?</form>', page, re.DOTALL)
    assert form is not None
    assert 'name="creator_id" value="maria"' in form[0]
    shop.act(kind="hide", item_id="sung", creator_id="maria")
    [event] = shop.logged("hide")
    assert event.properties == {"creator_id": "maria"}
    assert "Hidden" in shop.page("/history")


def test_a_newcomer_may_pick_a_few_and_is_asked_no_more_after_three(shop: Shop) -> None:
    page = shop.page("/")
    asked = cards(page, "onboarding")
    assert len(asked) > 5
    row = re.search(r'data-row="onboarding".*?</section>', page, re.DOTALL)
    assert row is not None
    assert 'value="pick"' in row[0]
    assert 'value="like"' not in row[0]
    for item in asked[:3]:
        shop.act(kind="pick", item_id=item, surface="onboarding", position="1")
    assert len(shop.logged("pick")) == 3
    assert cards(shop.page("/"), "onboarding") == []
    assert "Picked" in shop.page("/history")


def test_the_visitor_stays_the_same_over_two_pages(shop: Shop) -> None:
    first = json.loads(re.search(r'data-who="([^"]+)"', shop.page("/"))[1].replace("&#34;", '"'))
    again = json.loads(re.search(r'data-who="([^"]+)"', shop.page("/"))[1].replace("&#34;", '"'))
    assert first == again
    assert first["session_id"].startswith("visitor-")


def test_one_can_be_a_real_user_and_gets_because_you_watched(shop: Shop) -> None:
    shop.be(user_id="u2")
    page = shop.page("/")
    assert "Hello, user u2." in page
    assert len(cards(page, "because_you_watched")) > 0
    heading = re.search(r"<h2[^>]*>Because you (liked|viewed) <a href=.([^\"]+)", page)
    assert heading is not None
    assert heading[2].startswith("/item/drama-"), "it leads to what the row is about"


@pytest.mark.parametrize(
    ("typed", "says"),
    [("<nobody>", "There is no user “&lt;nobody&gt;”"), (" ", "Type an id first")],
)
def test_a_wrong_user_id_is_said_under_its_field(shop: Shop, typed: str, says: str) -> None:
    before = shop.client.cookies.get("palate_visitor")
    page = shop.client.post("/visitor", data={"user_id": typed}).text
    assert re.search(rf'<p id="wrong-user"[^>]*role="alert">{re.escape(says)}', page)
    assert 'aria-invalid="true" aria-describedby="wrong-user"' in page
    assert re.search(r'<details class="who"[^>]* open>', page), "the form it came from is open"
    assert "Hello, stranger." in page, "and nobody became somebody else"
    assert "wrong=" not in "".join(re.findall(r'name="back" value="([^"]+)"', page))
    assert shop.client.cookies.get("palate_visitor") != "user.nobody" != before


def test_surprise_me_picks_a_user_and_new_visitor_forgets_them(shop: Shop) -> None:
    shop.be(choose="surprise")
    assert "Hello, user u" in shop.page("/")
    shop.be(choose="new")
    assert "Hello, stranger" in shop.page("/")


def test_opening_an_item_from_a_card_counts_one_click_however_often_it_loads(shop: Shop) -> None:
    path, query = links(shop.page("/"), "/item/")[0]
    address = f"{path}?" + "&".join(f"{name}={value[0]}" for name, value in query.items())
    for _ in range(2):
        assert "Your click was counted" in shop.page(address)
    [click] = shop.logged("click")
    assert click.item_id == path.removeprefix("/item/")
    assert click.recommendation_id == query["recommendation_id"][0]
    assert (click.surface, click.position) == ("home", 1)


def test_an_item_opened_by_its_address_counts_nothing(shop: Shop) -> None:
    page = shop.page("/item/drama-1")
    assert 'value="click"' not in page
    assert not shop.logged("click")
    assert len(cards(page, "more_like_this")) > 0
    assert "drama-1" not in cards(page, "more_like_this")


def test_viewing_an_item_without_script_takes_it_from_home(shop: Shop) -> None:
    shop.page("/")
    first = cards(shop.page("/"))[0]
    back = shop.act(kind="view", item_id=first, surface="home", position="1", back="/")
    assert back == "/"
    assert first not in cards(shop.page("/"))
    [view] = shop.logged("view")
    assert (view.kind, view.value, view.position) == (Kind.VIEW, 1.0, 1)


def test_three_clicks_of_a_genre_are_named_in_the_reasons(shop: Shop) -> None:
    shop.page("/")
    for number in range(3):
        shop.act(kind="click", item_id=f"space-{number}")
    page = shop.page("/")
    assert re.search(r"<h2[^>]*>Because you opened <a [^>]*>Space", page)
    assert "Hello again" in page


def test_a_button_never_leads_off_the_site(shop: Shop) -> None:
    for elsewhere in ("https://example.org/", "//example.org", "/\\example.org"):
        assert shop.act(kind="like", item_id="drama-1", back=elsewhere) == "/"


def test_a_button_with_a_kind_that_is_none_says_so(shop: Shop) -> None:
    answer = shop.client.post("/act", data={"kind": "applaud", "item_id": "drama-1"})
    assert answer.status_code == 422
    assert "applaud" in answer.text


def test_why_tells_who_proposed_the_item_as_panel_and_as_page(shop: Shop) -> None:
    path, _ = links(shop.page("/"), "/why/")[0]
    panel = shop.page(f"{path}?panel=1")
    assert "How it was found" in panel
    assert "<b>Popular</b>" in panel
    assert "<code>popular</code>" in panel
    assert "<html" not in panel
    assert "<html" in shop.page(path)


def test_why_not_tells_where_any_item_was_lost(shop: Shop) -> None:
    shop.be(user_id="u2")
    page = shop.page("/item/comedy-0")
    path, _ = links(page, "/why-not/")[0]
    told = shop.page(path)
    assert "on your page?" in told
    assert "What would change it" in told or "It is shown at position" in told
    assert "/v1/why/home?user_id=u2&amp;item_id=comedy-0" in told
    assert "the catalogue does not know it" in shop.page("/why-not/space-9").lower()


def test_why_of_an_item_that_was_not_there_is_a_page_that_says_so(shop: Shop) -> None:
    path, _ = links(shop.page("/"), "/why/")[0]
    page = shop.page(path.rpartition("/")[0] + "/nothing", status=404)
    assert "There is no such page" in page


BROWSER = {"accept": "text/html,application/xhtml+xml"}


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("/nowhere/at/all", "There is no such page."),
        ("/v1.0/items", "There is no such page."),
        ("/item/nothing", "There is no such item."),
        ("/row/secret", "There is no such page."),
    ],
)
def test_a_lost_browser_finds_a_page_with_the_menu(shop: Shop, path: str, title: str) -> None:
    shop.be(user_id="u2")
    answer = shop.client.get(path, headers=BROWSER)
    assert answer.status_code == 404
    assert f"<h1>{title}</h1>" in answer.text
    assert "<b>user u2</b>" in answer.text
    assert 'href="/history"' in answer.text


@pytest.mark.parametrize("path", ["/v1/nothing", "/v1/items/nothing", "/metrics/x", "/livez/x"])
def test_a_browser_lost_in_the_api_gets_the_apis_problem(shop: Shop, path: str) -> None:
    answer = shop.client.get(path, headers=BROWSER)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_fault_of_ours_is_a_page_that_gives_nothing_away(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("palate.console.pages.history.by_day", lambda *_: 1 / 0)
    page = shop.page("/history", status=500)
    assert "<h1>That did not work.</h1>" in page
    assert "ZeroDivisionError" not in page
    assert "ZeroDivisionError" in caplog.text


def test_a_way_that_does_not_go_is_a_page_too(shop: Shop) -> None:
    assert "<h1>That did not work.</h1>" in shop.page("/act", status=405)


def test_a_program_that_is_lost_gets_a_problem(shop: Shop) -> None:
    answer = shop.client.get("/nowhere", headers={"accept": "*/*"})
    assert answer.headers["content-type"] == "application/problem+json"


def test_what_you_did_is_listed_by_day_and_greets_who_comes_back(shop: Shop) -> None:
    assert "Nothing yet." in shop.page("/history")
    greeting = r'<div data-when="after" (\w*)>'
    assert re.findall(greeting, shop.page("/")) == ["hidden"]
    shop.act(kind="like", item_id="drama-1")
    page = shop.page("/history")
    assert ">Liked</span>" in page
    assert 'href="/item/drama-1"' in page
    assert '<h2 id="day-1">Today</h2>' in page
    assert re.findall(greeting, shop.page("/")) == [""]


def test_an_items_page_remembers_what_was_done_with_it(shop: Shop) -> None:
    pressed = r'value="(\w+)"[^>]*aria-pressed="true"'
    assert re.findall(pressed, shop.page("/item/drama-1")) == []
    shop.act(kind="dislike", item_id="drama-1")
    assert re.findall(pressed, shop.page("/item/drama-1")) == ["dislike"]


def test_a_row_alone_is_what_the_page_would_show_now(shop: Shop) -> None:
    shop.page("/")
    row = shop.page("/row/home?back=/")
    assert "<html" not in row
    assert cards(row) != []
    assert "There is no such page" in shop.page("/row/secret", status=404)


def test_the_pulse_says_what_serves_and_how_far_training_is(shop: Shop) -> None:
    pulse = json.loads(shop.page("/pulse"))
    assert pulse["release"] == ""
    assert pulse["training"] is None
    told = {"phase": "tower", "fraction": 0.4, "text": "epoch 4 of 10", "started": 1.0}
    (shop.stores.settings.home / "training.json").write_text(json.dumps(told))
    assert json.loads(shop.page("/pulse"))["training"]["text"] == "epoch 4 of 10"
    assert "epoch 4 of 10" in shop.page("/")


def test_a_refused_release_is_said_in_the_trainers_words(shop: Shop) -> None:
    told = {"phase": "done", "fraction": 1.0, "text": "The ranker lost: not shipped.", "started": 1}
    (shop.stores.settings.home / "training.json").write_text(json.dumps(told))
    pulse = json.loads(shop.page("/pulse"))
    assert pulse["training"] is None
    assert (pulse["says"], pulse["lamp"]) == (
        "Serves from counts: the last training shipped nothing",
        "off",
    )
    assert pulse["verdict"] == ["The ranker lost: not shipped."]
    assert re.search(r"<details class=\"verdict\".*The ranker lost", shop.page("/"), re.DOTALL)


def test_the_lamp_is_grey_where_nothing_is_wrong_but_nothing_was_learnt(shop: Shop) -> None:
    page = shop.page("/")
    assert 'class="lamp off"' in page
    assert "Serves from counts: nothing has been learnt yet" in page


def test_the_policy_allows_no_inline_script_or_style_and_the_pages_have_none(shop: Shop) -> None:
    answer = shop.client.get("/")
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "script-src 'self'" in policy
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", answer.text)


def test_what_a_site_says_of_its_items_is_never_markup(shop: Shop) -> None:
    item = {"item_id": "bad", "title": "<script>alert(1)</script>", "categories": ["<b>"]}
    shop.client.put("/v1/items/bad", json=item).raise_for_status()
    page = shop.page("/item/bad")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_the_static_files_are_small_and_served(shop: Shop) -> None:
    for name in ("style.css", "app.js", "icon.svg", "fonts/inter-5.3.0-latin.woff2"):
        assert shop.client.get(f"/static/{name}").status_code == 200
    assert len((STATIC / "app.js").read_text().splitlines()) <= 250


def test_a_site_with_keys_has_no_storefront_that_would_act_for_strangers(
    shop_of: Callable[..., Shop],
) -> None:
    shop = shop_of(api_keys=("secret",))
    for path in ("/", "/item/drama-1", "/pulse", "/row/home"):
        assert shop.client.get(path).status_code == 404
    assert shop.client.post("/act", data={"kind": "like", "item_id": "drama-1"}).status_code == 404
    assert shop.client.get("/v1/items/drama-1").status_code == 401
    assert shop.client.get("/livez").status_code == 200


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/v1/items/drama-1"])
def test_everything_else_is_the_apis(shop: Shop, path: str) -> None:
    answer = shop.client.get(path)
    assert answer.status_code == 200
    assert "content-security-policy" not in answer.headers


def test_the_item_on_screen_is_in_none_of_its_pages_rows(shop: Shop) -> None:
    shop.be(user_id="u2")
    home = cards(shop.page("/"))
    page = shop.page(f"/item/{home[0]}")
    assert len(cards(page, "home")) > 5
    assert home[0] not in cards(page, "home") + cards(page, "more_like_this")
    sources = re.findall(r'data-source="([^"]+)"', page)
    assert len(sources) == 2
    for source in sources:
        row = shop.page(unescape(source))
        assert home[0] not in re.findall(r'data-item="([^"]+)"', row), "nor when it is asked anew"


def test_a_site_says_in_its_own_words_what_it_shows_and_what_people_did(
    shop_of: Callable[..., Shop],
) -> None:
    words = SiteSettings(noun="article", nouns="articles", viewed="read")
    shop = shop_of(site=words)
    page = shop.page("/")
    assert "Open some articles" in page
    assert "Read it" in page
    shop.act(kind="view", item_id="space-1")
    page = shop.page("/")
    assert re.search(r"<h2[^>]*>Because you read <a [^>]*>Space", page)
    assert "film" not in page.lower()


def test_the_note_of_trending_says_whether_anything_rises() -> None:
    slate = {"items": [{"reason": {"kind": kind}} for kind in ("trending", "popular")]}
    assert note(TRENDING, slate) == "What is rising just now, then what most people take in"
    quiet = {"items": slate["items"][1:]}
    assert note(TRENDING, quiet).startswith("Nothing is rising just now")
    assert note(HOME, quiet) == "What others take in, for a start"
