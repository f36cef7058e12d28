"""What a worker says names the recommendation; a part that fails is spoken of once a minute."""

import asyncio
import json
import logging

import pytest

from palate.serving.observing.faults import AGAIN, Faults
from palate.serving.observing.logs import ABOUT, JsonLines, TextLines


def record(message: str = "all %d lost", *arguments: object) -> logging.LogRecord:
    return logging.LogRecord("palate.x", logging.WARNING, "x.py", 1, message, arguments, None)


def test_a_line_of_json_names_the_recommendation() -> None:
    async def within() -> str:
        ABOUT.set("abc")
        return JsonLines().format(record("all %d lost", 3))

    told = json.loads(asyncio.run(within()))
    assert told["message"] == "all 3 lost"
    assert told["level"] == "warning"
    assert told["recommendation_id"] == "abc"
    assert "recommendation_id" not in json.loads(JsonLines().format(record("quiet")))


def test_a_line_of_text_does_too() -> None:
    async def within() -> str:
        ABOUT.set("abc")
        return TextLines().format(record("gone"))

    assert asyncio.run(within()) == "WARNING palate.x: gone [abc]"
    assert TextLines().format(record("gone")) == "WARNING palate.x: gone"


def test_a_fault_is_told_once_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    faults = Faults()
    with caplog.at_level(logging.WARNING, "palate.serving"):
        for second in range(5):
            faults.note("home", "full", {"generate.covisit": "ValueError: no"}, 100.0 + second)
        faults.note("home", "full", {"generate.covisit": "ValueError: no"}, 100.0 + AGAIN)
    first, again = caplog.messages
    assert first == "generate.covisit of home was left out: ValueError: no; answered by step full"
    assert again.endswith("(5 times since it was last said)")
