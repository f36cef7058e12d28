import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from palate.console.api import Api
from palate.console.pulse import Pulse, pulse_of
from palate.testing.tiny import waited


def pulse(home: Path, state: dict[str, Any], status: int = 200, **training: Any) -> Pulse:
    """What is said of a server that answers so, in a folder where training has got so far."""
    if training:
        (home / "training.json").write_text(json.dumps(training))
    transport = httpx.MockTransport(lambda _: httpx.Response(status, json=state))
    client = httpx.AsyncClient(transport=transport, base_url="http://server")
    return waited(pulse_of(Api(client), home))


READY = {"ready": True, "release": "none", "remarks": []}


@pytest.mark.parametrize(
    ("release", "training", "lamp", "says"),
    [
        ("none", {}, "off", "Serves from counts: nothing has been learnt yet"),
        ("none", {"phase": "tower"}, "off", "Serves from counts while it learns"),
        ("none", {"phase": "failed"}, "warm", "Serves from counts: the last training failed"),
        ("r1", {"phase": "done"}, "on", "Serves what it has learnt"),
        ("r1", {"phase": "rows"}, "on", "Serves what it has learnt"),
        ("r1", {"phase": "failed"}, "warm", "Serves what it has learnt: the last training failed"),
    ],
)
def test_it_says_what_is_served(
    tmp_path: Path, release: str, training: dict[str, Any], lamp: str, says: str
) -> None:
    found = pulse(tmp_path, READY | {"release": release}, **training)
    assert (found.lamp, found.says) == (lamp, says)


def test_a_server_that_is_not_ready_says_why(tmp_path: Path) -> None:
    state = {"ready": False, "release": "none", "remarks": ["the catalogue is locked"]}
    found = pulse(tmp_path, state, 503)
    assert (found.lamp, found.says) == ("bad", "Not ready: the catalogue is locked")
    assert pulse(tmp_path, {}, 500).says == "Not ready: the engine does not answer"


def test_a_remark_of_a_ready_server_is_said(tmp_path: Path) -> None:
    found = pulse(tmp_path, READY | {"remarks": ["the stream worker is 12 s behind"]})
    assert found.lamp == "warm"
    assert found.says == "Serves from counts, but the stream worker is 12 s behind"


def test_the_verdict_is_the_last_trainings_and_waits_until_it_has_ended(tmp_path: Path) -> None:
    text = "The ranker reaches 0.38. It ships. Release r1 is live."
    running = pulse(tmp_path, READY, phase="ranker", text=text)
    assert (running.verdict, running.training is None) == ((), False)
    ended = pulse(tmp_path, READY, phase="done", text=text)
    assert ended.verdict == ("The ranker reaches 0.38. It ships.", "Release r1 is live.")
    assert ended.training is None
