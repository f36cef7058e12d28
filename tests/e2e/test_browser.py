"""The storefront in a real browser, on a real `palate up`: what visitors do and what they see."""

import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import msgspec
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from palate.settings import FILE
from palate.settings_files import load
from palate.stores import close, open_stores
from palate.testing.tiny import NOW, tiny_events, tiny_items, tiny_users

pytestmark = pytest.mark.browser

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NO_TRAINING = "[training]\nmin_events = 1000000\n"
READY_SECONDS, END_SECONDS = 60, 15


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running site with sixty films of six genres; ended by Ctrl-C."""
    folder = tmp_path_factory.mktemp("site")
    _filled(folder)
    port = _free_port()
    command = [sys.executable, "-m", "palate.cli", "up", "--site", str(folder), "--port", str(port)]
    log = (folder / "up.log").open("wb")
    process = subprocess.Popen(command, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait(address, process, folder)
        yield address
    finally:
        process.send_signal(signal.SIGINT)
        code = process.wait(END_SECONDS)
        log.close()
    assert code == 0, (folder / "up.log").read_text()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without a head."""
    if not CHROMIUM.exists():
        pytest.fail(f"no {CHROMIUM}: install it with `apt-get install chromium`", pytrace=False)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    """A visitor nobody has seen before, whose console must stay clean."""
    context = browser.new_context(base_url=url, viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    yield opened
    context.close()
    assert not complaints


def test_three_clicks_of_a_genre_change_home_and_a_reason_names_one(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Hello, stranger.")
    before, clicked, titles = _home(page), [], []
    for _ in range(3):
        film = page.locator('[data-row="home"] .card').filter(
            has=page.locator(".genres", has_text="space")
        )
        fresh = [c for c in film.all() if c.get_attribute("data-item") not in clicked]
        clicked.append(str(fresh[0].get_attribute("data-item")))
        fresh[0].locator("a.poster").click()
        expect(page.locator(".counted")).to_contain_text("Your click was counted")
        titles.append(page.get_by_role("heading", level=1).inner_text())
        page.goto("/")
    reason = re.compile("Because you opened.*(" + "|".join(titles) + ")")
    named = page.locator('[data-row="home"] .reason', has_text=reason)
    _reload_until(page, lambda: named.count() > 0)
    assert _home(page) != before
    expect(page.get_by_role("heading", name="Because you opened")).to_be_visible()


def test_a_like_moves_the_row_in_place_and_says_how_long_it_took(page: Page) -> None:
    page.goto("/")
    page.get_by_role("button", name="Like: ").first.click()
    expect(page.locator('[data-fact="reaction"]')).to_have_text(
        re.compile(r"last reaction: \d+ ms")
    )
    expect(page.get_by_role("status")).to_contain_text("Home changed")
    expect(page.locator('[data-row="home"] .change:visible').first).to_be_visible()


def test_a_like_by_keyboard_keeps_the_focus_on_the_row_and_is_what_you_did(page: Page) -> None:
    page.goto("/")
    like = page.locator('[data-row="home"] button[value="like"]').nth(1)
    title = str(like.get_attribute("aria-label")).removeprefix("Like: ")
    like.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#say")).to_contain_text("Home changed")
    focused = page.locator(":focus")
    expect(focused).to_have_attribute("value", "like")
    place = "[...document.activeElement.closest('.cards').children].indexOf"
    assert page.evaluate(f"{place}(document.activeElement.closest('.card'))") == 1
    expect(page.get_by_role("heading", level=1)).to_have_text("Hello again.")
    page.get_by_role("link", name="What you did").click()
    expect(page.get_by_role("listitem").filter(has_text=title)).to_contain_text("Liked")


def test_why_opens_by_keyboard_tells_the_trace_and_gives_the_focus_back(page: Page) -> None:
    page.goto("/")
    why = page.locator('[data-row="home"] a.why').first
    why.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    expect(dialog.get_by_role("heading", name="How it was found")).to_be_visible()
    assert dialog.locator(".parts li").count() > 0
    details = dialog.get_by_role("region", name="Stages")
    expect(details).to_be_hidden()
    dialog.get_by_text("All details").click()
    expect(details).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(why).to_be_focused()


def test_an_open_page_upgrades_itself_when_a_release_is_promoted(page: Page) -> None:
    page.goto("/")
    page.evaluate("document.querySelector('[data-row=home]').dataset.old = 'yes'")
    told = {"release": "r2", "says": "Serves r2", "lamp": "on", "verdict": ["It ships."]}
    told |= {"training": None, "steps": {}}
    page.route("**/pulse", lambda route: route.fulfill(json=told))  # training one takes minutes
    expect(page.locator('[data-fact="release"]')).to_have_text("Serves r2")
    expect(page.get_by_role("status")).to_contain_text("A new release is live")
    expect(page.locator('[data-row="home"]:not([data-old]) .card').first).to_be_visible()


def test_one_can_become_a_real_user_and_sees_because_you_watched(page: Page) -> None:
    page.goto("/")
    page.locator(".who summary").click()
    page.get_by_label("Be one of the real users").fill("u5")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Hello, user u5.")
    heading = page.get_by_role("heading", name=re.compile("Because you (liked|viewed)"))
    expect(heading).to_be_visible()


def test_a_wrong_user_id_is_said_under_its_field_which_has_the_focus(page: Page) -> None:
    page.goto("/item/drama-1")
    page.locator(".who summary").click()
    field = page.get_by_label("Be one of the real users")
    field.fill("nobody")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("There is no user “nobody”")
    expect(field).to_be_focused()
    expect(field).to_have_value("nobody")


def test_it_fits_a_small_phone_and_every_control_has_a_name(browser: Browser, url: str) -> None:
    context = browser.new_context(base_url=url, viewport={"width": 360, "height": 740})
    page = context.new_page()
    for path in ("/", "/item/drama-1", "/history", "/nowhere"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        unnamed = "[...document.querySelectorAll('button, a')].filter((e) => !e.innerText.trim()"
        assert page.evaluate(f"{unnamed} && !e.ariaLabel && !e.textContent.trim()).length") == 0
        for landmark in ("banner", "navigation", "main", "contentinfo"):
            assert page.get_by_role(landmark).count() == 1, landmark
    context.close()


def test_without_script_a_button_is_a_form(browser: Browser, url: str) -> None:
    context = browser.new_context(base_url=url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/")
    first = _home(page)[0]
    page.locator(f'[data-row="home"] [data-item="{first}"] button[value="view"]').click()
    _reload_until(page, lambda: first not in _home(page))
    context.close()


def _home(page: Page) -> list[str]:
    cards = page.locator('[data-row="home"] .card')
    return [str(card.get_attribute("data-item")) for card in cards.all()]


def _reload_until(page: Page, seen: Callable[[], bool]) -> None:
    """Ask for the page anew until it has reacted."""
    for _ in range(50):
        if seen():
            return
        page.goto("/")
    pytest.fail(f"the page never reacted: {_home(page)}")


def _filled(folder: Path) -> None:
    """The tiny world, moved to today; too small to train on."""
    (folder / FILE).write_text(NO_TRAINING)
    settings = load(folder, {})
    stores = open_stores(settings, writer=True)
    stores.items.put(tiny_items())
    stores.users.put(tiny_users())
    now = time.time()
    moved = [msgspec.structs.replace(e, time=e.time - NOW + now) for e in tiny_events()]
    stores.log.append(moved, now)
    close(stores)


def _wait(address: str, process: "subprocess.Popen[bytes]", folder: Path) -> None:
    """Until the page has films on it."""
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            if 'class="card"' in httpx.get(address, timeout=5, trust_env=False).text:
                return
        except httpx.HTTPError:
            time.sleep(0.1)
    pytest.fail("the site did not come up:\n" + (folder / "up.log").read_text())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
