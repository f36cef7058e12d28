"""Whole lives of items and users, in any order: what was said is what is answered.

Schemathesis makes the documents from our OpenAPI; Hypothesis puts, changes, sees, takes and deletes
in an order of its own, and remembers what should be so. `PALATE_FUZZ=200 python -m pytest
tests/serving/test_stateful.py` goes on for long, with other lives each time.
"""

import os
from itertools import count
from typing import Any
from urllib.parse import quote

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    multiple,
    rule,
    run_state_machine_as_test,
)
from schemathesis import Case, GenerationMode
from tests.serving.conftest import SmallSite
from tests.serving.test_bad_input import GOLDEN, sound
from tests.serving.test_schemathesis import asked

LIVES = settings(
    max_examples=int(os.environ.get("PALATE_FUZZ", "24")),
    stateful_step_count=24,
    deadline=None,
    derandomize="PALATE_FUZZ" not in os.environ,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
OPERATIONS = {
    found.ok().definition.raw["operationId"]: found.ok()
    for found in schemathesis.openapi.from_dict(GOLDEN).get_all_operations()
}
KINDS = st.sampled_from(["view", "like", "dislike", "click", "save", "hide"])
SURFACES = st.sampled_from(["home", "trending", "continue_watching"])
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=12)
ITEM = st.fixed_dictionaries(
    {"title": WORDS, "categories": st.lists(st.sampled_from(["drama", "comedy", "new"]))},
    optional={"tags": st.lists(WORDS, max_size=3), "hidden": st.booleans(), "creator_id": WORDS},
)
USER = st.fixed_dictionaries(
    {}, optional={"country": st.sampled_from(["DE", "FR"]), "birth_year": st.integers(1920, 2015)}
)
_lives = count()


def right(operation: str) -> st.SearchStrategy[Case]:
    """Cases of an operation that its schema allows."""
    return OPERATIONS[operation].as_strategy(GenerationMode.POSITIVE)


class Lives(RuleBasedStateMachine):
    """One life after the other on a site that keeps what was before."""

    items, users, pages = Bundle("items"), Bundle("users"), Bundle("pages")

    def __init__(self, site: SmallSite) -> None:
        super().__init__()
        self.site, self.life = site, next(_lives)
        self.gone = set[str]()
        """Items that were deleted."""
        self.done: dict[str, set[str]] = {}
        """What each user did something with."""

    def ask(self, verb: str, path: str, **more: Any) -> tuple[int, Any]:
        """Status and body of an answer, which is no fault of ours."""
        answer = self.site.client.request(verb, path, **more)
        told = answer.status_code, answer.headers.get("content-type", ""), answer.text
        assert sound(*told), (verb, path, more, told)
        return answer.status_code, answer.json() if answer.content else None

    def put(self, kind: str, name: str, document: Any) -> bool:
        """Store a document under a name; False where it was refused in words."""
        path = f"/v1/{kind}s/{quote(name, safe='')}"
        status, _ = self.ask("put", path, json=document)
        if status == 422:
            return False
        status, held = self.ask("get", path)
        assert (status, held[f"{kind}_id"]) == (200, name)
        return True

    @initialize(target=items)
    def there_are_items(self) -> Any:
        names = [f"item {self.life}/{n}" for n in range(3)]
        for name in names:
            assert self.put("item", name, {"title": name, "categories": ["drama"]})
        return multiple(*names)

    @initialize(target=users)
    def there_is_a_user(self) -> str:
        name = f"user {self.life}/0"
        assert self.put("user", name, {"country": "DE"})
        return name

    @rule(target=items, n=st.integers(0, 3), document=ITEM)
    def an_item_is_put(self, n: int, document: Any) -> str:
        name = f"item {self.life}/{n}"
        assert self.put("item", name, document)
        self.gone.discard(name)
        return name

    @rule(target=items, n=st.integers(4, 5), case=right("put_item"))
    def an_item_of_any_kind_is_put(self, n: int, case: Case) -> Any:
        name = f"item {self.life}/{n}"
        if not self.put("item", name, case.body):
            return multiple()
        self.gone.discard(name)
        return name

    @rule(target=users, n=st.integers(0, 2), document=USER)
    def a_user_is_put(self, n: int, document: Any) -> str:
        name = f"user {self.life}/{n}"
        assert self.put("user", name, document)
        return name

    @rule(item=items, case=right("patch_item"))
    def an_item_is_changed(self, item: str, case: Case) -> None:
        case.path_parameters = {"item_id": item}
        status, kind, text = asked(self.site, case)
        assert sound(status, kind, text), text
        assert (status == 404) <= (item in self.gone)

    @rule(user=users, item=items, kind=KINDS)
    def something_is_done(self, user: str, item: str, kind: str) -> None:
        event = {"kind": kind, "user_id": user, "item_id": item}
        status, told = self.ask("post", "/v1/events", json={"events": [event]})
        assert (status, told["accepted"]) == (202, 1)
        self.done.setdefault(user, set()).add(item)

    @rule(user=users)
    def what_was_done_is_remembered(self, user: str) -> None:
        self.site.worker.drain()
        self.site.tick()
        _, told = self.ask("get", "/v1/history", params={"user_id": user, "limit": 200})
        found = {each["item_id"] for each in told["events"]}
        assert found == self.done.get(user, set())

    @rule(target=pages, user=users, surface=SURFACES, limit=st.integers(1, 60))
    def a_page_is_given(self, user: str, surface: str, limit: int) -> Any:
        self.site.worker.drain()
        self.site.tick()
        asking = {"user_id": user, "limit": limit}
        status, page = self.ask("get", f"/v1/recommendations/{surface}", params=asking)
        shown = [each["item_id"] for each in page["items"]]
        assert status == 200
        assert len(shown) == len(set(shown)) <= limit
        assert not self.gone.intersection(shown), "what was deleted is not shown"
        return page["recommendation_id"], shown

    @rule(page=pages)
    def a_page_has_a_trace(self, page: tuple[str, list[str]]) -> None:
        self.site.settle()
        status, trace = self.ask("get", f"/v1/traces/{page[0]}")
        if status == 200:  # whoever was deleted has none
            assert [each["item_id"] for each in trace["items"]][: len(page[1])] == page[1]

    @rule(user=users, item=items)
    def why_is_answered(self, user: str, item: str) -> None:
        status, told = self.ask("get", "/v1/why/home", params={"user_id": user, "item_id": item})
        assert status == 200, told
        assert told["sentence"]

    @rule(item=consumes(items))
    def an_item_is_deleted(self, item: str) -> None:
        path = f"/v1/items/{quote(item, safe='')}"
        status, _ = self.ask("delete", path)
        assert (status == 404) == (item in self.gone)
        assert self.ask("get", path)[0] == 404
        self.gone.add(item)

    @rule(user=consumes(users))
    def a_user_is_deleted(self, user: str) -> None:
        path = f"/v1/users/{quote(user, safe='')}"
        self.ask("delete", path)
        self.site.worker.drain()
        self.site.settle()
        assert self.ask("get", path)[0] == 404
        assert self.site.logged(user_id=user) == []
        self.done.pop(user, None)


def test_any_life_is_remembered_as_it_was_and_forgotten_when_asked(site: SmallSite) -> None:
    run_state_machine_as_test(lambda: Lives(site), settings=LIVES)
