import asyncio
import threading

import pytest
from tests.serving.conftest import SmallSite

from palate.errors import BadInput
from palate.serving.routes.batches import SMALL, decoded


def test_a_batch_beyond_the_limit_is_refused_with_both_numbers() -> None:
    with pytest.raises(BadInput, match="3 events in one batch; at most 2"):
        asyncio.run(decoded(b'{"events": [1, 2, 3]}', bytes, "events", 2))


def test_a_batch_at_the_limit_is_decoded() -> None:
    body = b'{"events": [1, 2]}'
    assert asyncio.run(decoded(body, bytes, "events", 2)) == body


def test_a_bare_list_is_counted_too() -> None:
    with pytest.raises(BadInput, match="at most 2"):
        asyncio.run(decoded(b"[1, 2, 3]", bytes, "events", 2))


def test_what_is_no_batch_is_left_to_the_decoder() -> None:
    assert asyncio.run(decoded(b"{", len, "events", 2)) == 1


def test_a_large_body_does_not_hold_up_the_loop() -> None:
    threads: list[int] = []
    body = b'{"events": []}' + b" " * SMALL
    asyncio.run(decoded(body, lambda _: threads.append(threading.get_ident()), "events", 2))
    assert threads != [threading.get_ident()]


@pytest.mark.parametrize("path", ["/v1/events", "/v1/items", "/v1/users", "/v1/recommendations"])
@pytest.mark.parametrize("body", [b"[" * 50_000, b'{"events": ' + b"[" * 50_000])
def test_a_body_nested_without_end_is_refused(site: SmallSite, path: str, body: bytes) -> None:
    answer = site.client.post(path, content=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
