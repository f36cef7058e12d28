"""Everything that a worker keeps has a bound in the settings, holds it, and is in the docs."""

import ast
import gc
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from litestar.handlers import BaseRouteHandler
from tests.serving.conftest import SmallSite

import palate
from palate.events.kinds import Event, Kind
from palate.serving.bodies import Ask
from palate.serving.runtime import Runtime
from palate.settings import ServingSettings

BOUND, TRIED = 2, 6
Fill: TypeAlias = Callable[[SmallSite, Runtime], int]
USERS = [f"u{n}" for n in range(TRIED)]


def last_slates(site: SmallSite, runtime: Runtime) -> int:
    for user in USERS:
        site.slate(user_id=user)
    return len(runtime.live.kept)


def profiles(_: SmallSite, runtime: Runtime) -> int:
    for user in USERS:
        runtime.visitors.find(Ask(surface="home", user_id=user))
    return len(runtime.visitors._traits)


def names(site: SmallSite, runtime: Runtime) -> int:
    with site.client.portal() as portal:
        found = portal.call(runtime.names.of, range(TRIED))
        portal.call(runtime.names.rows, [each.item_id for each in found.values()])
    assert len(found) == TRIED, "a bound takes nothing from an answer"
    return max(len(runtime.names._named), len(runtime.names._rows))


def filters(site: SmallSite, runtime: Runtime) -> int:
    with site.client.portal() as portal:
        for n in range(TRIED):
            portal.call(runtime.conditions.matching, f'kind != "{n}"', site.clock.now(), {})
    return runtime.conditions._answered.cache_info().currsize


def compiled_filters(site: SmallSite, runtime: Runtime) -> int:
    filters(site, runtime)
    return runtime.conditions._compiled.cache_info().currsize


def policies(site: SmallSite, runtime: Runtime) -> int:
    items = [{"item_id": f"late-{n}", "title": "x", "min_age": 3 + n % TRIED} for n in range(60)]
    assert site.client.post("/v1/items", json={"items": items}).is_success
    site.worker.drain()
    site.tick()
    for n in range(TRIED):
        site.slate(user_id="u1", age=3 + n)
    return len(runtime.policies._known)


def waiting_impressions(site: SmallSite, runtime: Runtime) -> int:
    event = Event(event_id="", kind=Kind.IMPRESSION, time=1.0, user_id="u1")
    return waiting(site, runtime, "impression", lambda _: runtime.impressions.note(event))


def waiting_traces(site: SmallSite, runtime: Runtime) -> int:
    def never() -> None:
        raise AssertionError("what is dropped is not made")

    left = waiting(site, runtime, "trace", lambda n: runtime.traces.note(str(n), never))  # type: ignore[arg-type]
    return max(left, len(runtime.traces._pending))


def waiting_features(site: SmallSite, runtime: Runtime) -> int:
    pages = runtime.features._pages
    return waiting(site, runtime, "features", lambda _: pages.note(None))  # type: ignore[arg-type]


def waiting(site: SmallSite, runtime: Runtime, what: str, note: Callable[[int], object]) -> int:
    """How many wait right after more were noted than there is room for; the rest is counted."""

    def fill() -> int:
        for n in range(TRIED):
            note(n)
        return {
            "impression": runtime.impressions, "trace": runtime.traces, "features": runtime.features
        }[what].waiting  # fmt: skip

    with site.client.portal() as portal:
        left = portal.call(fill)
    lost = f'palate_background_dropped_total{{what="{what}"}} {TRIED - BOUND}.0'
    assert lost in site.client.get("/metrics").text
    return left


HELD: dict[str, Fill] = {
    each.__name__: each
    for each in (
        last_slates,
        profiles,
        names,
        filters,
        compiled_filters,
        policies,
        waiting_impressions,
        waiting_traces,
        waiting_features,
    )
}
ELSEWHERE = {
    "newcomers": "tests/training/test_arrivals.py",
    "rate_callers": "tests/serving/pacing/test_rates.py",
    "most_at_once": "tests/serving/pacing/test_pacing.py",
    "most_waiting": "tests/serving/pacing/test_pacing.py",
    "max_waiting_events": "tests/serving/test_events.py",
    "traces": "tests/serving/test_traces.py",
    "waiting_spans": "tests/serving/observing/test_otel.py",
}


@pytest.mark.parametrize("name", HELD)
def test_what_a_worker_keeps_stays_within_its_setting(
    site_of: Callable[..., SmallSite], name: str
) -> None:
    site = site_of(**{name: BOUND})
    held = HELD[name](site, site.app.state["runtime"])
    assert 0 < held <= BOUND


def test_each_bound_is_a_setting_and_in_the_docs() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reliability.md").read_text("utf-8")
    for name in (*HELD, *ELSEWHERE):
        assert hasattr(ServingSettings(), name)
        assert f"`{name}`" in page, name
    for file in ELSEWHERE.values():
        assert (Path(__file__).parents[2] / file).is_file()


BOUNDED = {"lru_cache": 1, "Queue": 1, "deque": 2}
"""What takes its bound as an argument, and how many there are then."""
OTHERWISE = {
    "pacing/gate.py": "a queue that takes nobody beyond `most_waiting`",
    "accounting/sampling.py": "a queue that takes nothing beyond `[ledger] most`",
}


def test_no_queue_and_no_cache_of_a_worker_is_without_a_bound() -> None:
    root = Path(palate.__file__).parent / "serving"
    free = []
    for file in root.rglob("*.py"):
        for call in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(call, ast.Call):
                name = ast.unparse(call.func).rpartition(".")[2].partition("[")[0]
                given = len(call.args) + len(call.keywords)
                bounded = given >= BOUNDED.get(name, 0) or any(
                    k.arg == "maxlen" for k in call.keywords
                )
                if not bounded and file.relative_to(root).as_posix() not in OTHERWISE:
                    free.append(f"{file.name}: {ast.unparse(call)}")
    assert free == []


def test_no_function_of_a_worker_remembers_all_it_was_ever_asked() -> None:
    root = Path(palate.__file__).parent / "serving"
    free = [
        f"{file.name}: {each.name}"
        for file in root.rglob("*.py")
        for each in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and each.args.args
        if any(ast.unparse(how) in {"cache", "functools.cache"} for how in each.decorator_list)
    ]
    assert free == [], "lru_cache takes a bound"


def test_a_request_leaves_nothing_of_its_route_behind(site: SmallSite) -> None:
    def handlers() -> int:
        gc.collect()
        return sum(isinstance(each, BaseRouteHandler) for each in gc.get_objects())

    site.slate(user_id="u1")
    before = handlers()
    for user in USERS:
        site.slate(user_id=user)
    assert handlers() == before


@pytest.mark.parametrize("path", ["recommendations", "why/home"])
def test_a_context_goes_into_the_log_and_so_is_small(site: SmallSite, path: str) -> None:
    body = {"surface": "home", "user_id": "u1", "item_id": "drama-1"}
    if path == "why/home":
        body.pop("surface")
    for size, status in ((16_000, 200), (17_000, 422), (3_000_000, 422)):
        answer = site.client.post(f"/v1/{path}", json=body | {"context": {"page": "x" * size}})
        assert answer.status_code == status, answer.text
    [problem] = answer.json()["errors"]
    assert problem["pointer"].removeprefix("/") == "context"
    assert "at most 16,384 bytes of JSON are kept, this has 3,000,011" in problem["problem"]
