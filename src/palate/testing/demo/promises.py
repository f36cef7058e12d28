"""What a running demo promises, one small function each: visit, look, say what was seen."""

from collections.abc import Callable, Mapping
from http.client import HTTPConnection
from time import perf_counter
from urllib.parse import urlencode

import httpx

from palate.console.visitor import COOKIE, Visitor
from palate.testing.demo.visit import Check, Visit, ids, named, pages, percentile, until

SLATES, PAGES, SIZE, WARM_UP = 1_000, 10, 20, 50
HOME_MS, NEW_ITEM_SECONDS, OK, UNPROCESSABLE = 10.0, 2.0, 200, 422
HIDDEN = 20


def fast(visit: Visit, users: list[str]) -> Check:
    """A Home request over HTTP takes at most 10 ms at the median, measured by the client.

    The client is the plainest there is, on one kept connection: what it takes itself is counted.
    """
    url = visit.client.base_url
    took, line = [], HTTPConnection(url.host, url.port, timeout=10.0)
    for number in range(300 + WARM_UP):
        query = urlencode({"user_id": users[number % len(users)], "limit": SIZE})
        started = perf_counter()
        line.request("GET", f"/v1/recommendations/home?{query}")
        answer = line.getresponse()
        answer.read()
        took.append((perf_counter() - started) * 1e3)
        if answer.status != OK:
            return Check("home p50 ≤ 10 ms over HTTP", ok=False, saw=f"status {answer.status}")
    line.close()
    p50, p99 = percentile(took[WARM_UP:], 0.5), percentile(took[WARM_UP:], 0.99)
    return Check(
        "home p50 ≤ 10 ms over HTTP", p50 <= HOME_MS, f"p50 {p50:.1f} ms, p99 {p99:.1f} ms"
    )


def no_repeats(visit: Visit, users: list[str]) -> Check:
    """No item twice in ten pages, for somebody new and for a user."""
    seen = []
    for who in ({"session_id": "check-endless"}, {"user_id": users[0]}):
        items = [name for page in pages(visit, PAGES, **who, limit=SIZE) for name in ids(page)]
        seen.append((len(items), len(set(items))))
    ok = all(total == distinct > SIZE for total, distinct in seen)
    saw = " and ".join(f"{distinct} films in {total} places" for total, distinct in seen)
    return Check("no item twice in 10 pages", ok, saw)


def nothing_hidden_or_seen(visit: Visit, history: Mapping[str, set[str]]) -> Check:
    """1,000 slates of users with a history, after the most popular films were hidden."""
    hidden = set(ids(visit.slate("trending", limit=HIDDEN)))
    for name in hidden:
        visit.hide(name)
    until(lambda: not hidden & set(ids(visit.slate("trending", limit=HIDDEN))), 5.0)
    users = sorted(history)
    wrong, entries = [], 0
    for number in range(SLATES):
        user = users[number % len(users)]
        shown = set(ids(visit.slate(user_id=user, limit=SIZE)))
        entries += len(shown)
        wrong += [f"{name} to {user}" for name in shown & (hidden | history[user])]
    saw = f"{entries} entries, {len(hidden)} films hidden; wrong: {', '.join(wrong[:5]) or 'none'}"
    return Check("no seen or hidden item in 1,000 slates", not wrong and entries > SLATES, saw)


def takes_in_new_items(visit: Visit) -> Check:
    """An item added now is recommended beside its like within two seconds."""
    popular = ids(visit.slate("trending", limit=1))[0]
    like = visit.client.get(f"/v1/items/{popular}").raise_for_status().json()
    new = {
        "item_id": "check-new",
        "title": f"{like['title']} Again",
        "categories": like["categories"],
    }
    visit.put(new)
    query = {"item_id": popular, "limit": 100, "session_id": "check-new"}
    waited = until(
        lambda: "check-new" in ids(visit.slate("more_like_this", **query)), NEW_ITEM_SECONDS
    )
    saw = "it did not appear" if waited is None else f"after {waited * 1e3:.0f} ms"
    return Check("an item that was added is recommended within 2 s", waited is not None, saw)


def reasons_name_clicks(visit: Visit) -> Check:
    """After three clicks the page says because of which."""
    who = {"session_id": "check-reasons"}
    clicked = ids(visit.slate(**who, limit=3))
    visit.send(*({**who, "kind": "click", "item_id": name} for name in clicked))
    waited = until(lambda: bool(named(visit.slate(**who, limit=SIZE)) & set(clicked)), 5.0)
    reasons = [entry["reason"] for entry in visit.slate(**who, limit=SIZE)["items"]]
    texts = [r["text"] for r in reasons if set(r["item_ids"]) & set(clicked)] or ["none does"]
    return Check("reasons name a clicked film", waited is not None, texts[0])


def counts_once(visit: Visit) -> Check:
    """The same event sent twice is one event."""
    event = {
        "event_id": "check-twice",
        "kind": "click",
        "session_id": "check-twice",
        "item_id": "1",
    }
    first, again = visit.send(event), visit.send(event)
    ok = (first["accepted"], again["accepted"], again["duplicates"]) == (1, 0, 1)
    return Check("a repeated event counts once", ok, f"{first} then {again}")


def refuses_nonsense(visit: Visit) -> Check:
    """An invalid event is refused by its field, and nothing of its batch is kept."""
    good = {"event_id": "check-good", "kind": "click", "session_id": "s", "item_id": "1"}
    bad = {"event_id": "check-bad", "kind": "applaud", "session_id": "s", "item_id": "1"}
    answer = visit.client.post("/v1/events", json={"events": [good, bad]})
    errors = answer.json().get("errors", [])
    pointers = [str(error["pointer"]) for error in errors]
    kept = visit.send(good)["duplicates"]
    ok = answer.status_code == UNPROCESSABLE and pointers == ["/events/1/kind"] and not kept
    return Check("422 names the field and keeps nothing", ok, f"{answer.status_code} {errors}")


def explains(visit: Visit, users: list[str]) -> Check:
    """The trace of an answer says who proposed each item."""
    slate = visit.slate(user_id=users[0], limit=SIZE)
    trace = visit.client.get(f"/v1/traces/{slate['recommendation_id']}").raise_for_status().json()
    found = [entry["found_by"] for entry in trace["items"]]
    ok = len(found) == len(slate["items"]) and any(found) and bool(trace["stages"])
    generators = sorted({each["generator"] for entry in found for each in entry})
    saw = f"{len(trace['stages'])} stages; proposed by {', '.join(generators)}"
    return Check("the trace of a request is readable", ok, saw)


def shows(visit: Visit, users: list[str]) -> Check:
    """The storefront's front page and an item's page answer, with rows on them."""
    cookie = {"cookie": f"{COOKIE}={Visitor(user_id=users[0]).cookie()}"}
    page = visit.client.get("/", headers=cookie)
    first = ids(visit.slate(user_id=users[0], limit=1))[0]
    item = visit.client.get(f"/item/{first}", headers=cookie)
    rows, cards = page.text.count('class="row"'), page.text.count('class="card"')
    ok = page.is_success and item.is_success and rows > 1 and cards > SIZE
    return Check(
        "the storefront shows its rows", ok, f"{page.status_code}: {rows} rows, {cards} cards"
    )


def every(visit: Visit, users: list[str], history: Mapping[str, set[str]]) -> list[Check]:
    """All of them; one that breaks off is one that did not hold."""
    checks: dict[str, Callable[[], Check]] = {
        "fast": lambda: fast(visit, users),
        "no repeats": lambda: no_repeats(visit, users),
        "reasons": lambda: reasons_name_clicks(visit),
        "once": lambda: counts_once(visit),
        "422": lambda: refuses_nonsense(visit),
        "trace": lambda: explains(visit, users),
        "storefront": lambda: shows(visit, users),
        "new item": lambda: takes_in_new_items(visit),
        "hidden and seen": lambda: nothing_hidden_or_seen(visit, history),
    }
    held = []
    for name, check in checks.items():
        try:
            held.append(check())
        except (httpx.HTTPError, OSError, KeyError, IndexError, StopIteration) as error:
            held.append(Check(name, ok=False, saw=f"broke off: {error!r}"))
    return held
