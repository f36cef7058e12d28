"""A running site as a policy: what happens between two days, and what is waited for."""

from collections.abc import Callable

import httpx

from palate.evaluation.simulator.served import Api, Served
from palate.evaluation.simulator.world import Size, free

WORLD = free(1, Size(items=120, users=20, topics=4, arrivals=5, newcomers=4))


def test_a_night_lies_between_two_days_and_ends_when_what_was_learnt_is_served() -> None:
    done: list[str] = []
    names = iter(["old", "old", "new"])

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/readyz":
            name = next(names)
            done.append(f"serves {name}")
            return httpx.Response(200, json={"release": name})
        done.append(f"{request.method} {request.url.path}")
        return httpx.Response(200, json={})

    transport = httpx.MockTransport(answer)
    api = Api(httpx.Client(base_url="http://palate", transport=transport))
    policy = Served("palate", api, WORLD, _noted(done, api))
    policy.open_day(WORLD.there)
    assert done == []
    policy.open_day(WORLD.there + WORLD.arrivals)
    looked = ["serves old", "serves old", "serves new"]
    assert done == ["learns", *looked, "POST /v1/items"], "new items come in the morning"


def _noted(done: list[str], api: Api) -> Callable[[], None]:
    def night() -> None:
        done.append("learns")
        api.serves("new")

    return night
