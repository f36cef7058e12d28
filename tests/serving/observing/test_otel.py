"""Answers arrive at a real OTLP receiver as spans, below the caller's own; without it, nothing."""

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.serving.conftest import SmallSite

from palate.cli.listening import listening
from palate.errors import MissingExtra
from palate.serving.observing import installed, otel, spans
from palate.settings import ServingSettings

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{CALLER}-01", f"00-{TRACE}-{CALLER}-00"


class Receiver(ThreadingHTTPServer):
    """An OTLP/HTTP collector that keeps what it is sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Taking)
        self.spans: list[Any] = []
        self.resources: list[dict[str, str]] = []
        self.paths: set[str] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Taking(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        sent = ExportTraceServiceRequest.FromString(body)
        self.server.paths.add(self.path)
        for resource in sent.resource_spans:
            told = {each.key: each.value.string_value for each in resource.resource.attributes}
            self.server.resources.append(told)
            for scope in resource.scope_spans:
                self.server.spans += scope.spans
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def sent(site: SmallSite, receiver: Receiver) -> list[Any]:
    """All spans, once the site has closed its way to the receiver."""
    site.settle()
    site.app.state["runtime"].spans.close()
    return receiver.spans


def test_an_answer_is_a_span_below_the_callers_with_its_stages_below_it(
    site_of: Callable[..., SmallSite], receiver: Receiver
) -> None:
    site = site_of(otel=receiver.url, otel_share=0.0)
    path, headers = "/v1/recommendations/home?user_id=u1", {"traceparent": SAMPLED}
    body = site.client.get(path, headers=headers).json()
    site.slate(user_id="u2")  # nobody traces it, and the lot does not fall on it
    found = sent(site, receiver)
    [whole] = [each for each in found if each.name == "recommend home"]
    assert receiver.paths == {"/v1/traces"}
    assert receiver.resources[0]["service.name"] == "palate"
    assert whole.trace_id.hex() == TRACE
    assert whole.parent_span_id.hex() == CALLER
    told = {each.key: each.value.string_value for each in whole.attributes}
    assert told["palate.recommendation_id"] == body["recommendation_id"]
    assert told["palate.step"] == "full"
    stages = {each.name: each for each in found if each is not whole}
    assert set(stages) == set(body["timing"]["stages"])
    for name, milliseconds in body["timing"]["stages"].items():
        part = stages[name]
        assert part.parent_span_id == whole.span_id
        took = (part.end_time_unix_nano - part.start_time_unix_nano) / 1e6
        assert took == pytest.approx(milliseconds, abs=0.001)
        assert whole.start_time_unix_nano <= part.start_time_unix_nano


def test_without_a_parent_a_share_of_answers_begins_a_trace(
    site_of: Callable[..., SmallSite], receiver: Receiver
) -> None:
    site = site_of(otel=receiver.url, otel_share=1.0)
    for parent in ("", "nonsense", UNSAMPLED):
        site.client.get("/v1/recommendations/trending", headers={"traceparent": parent})
    whole = [each for each in sent(site, receiver) if each.name == "recommend trending"]
    assert len(whole) == 2, "who says that a trace is not kept is believed"
    assert not any(each.parent_span_id for each in whole)


def test_each_row_of_a_page_is_below_the_caller(
    site_of: Callable[..., SmallSite], receiver: Receiver
) -> None:
    site = site_of(otel=receiver.url, otel_share=0.0)
    page = site.client.get("/v1/pages/home?user_id=u1", headers={"traceparent": SAMPLED}).json()
    whole = [each for each in sent(site, receiver) if each.name.startswith("recommend ")]
    assert len(whole) == len(page["rows"]) > 0
    assert {each.parent_span_id.hex() for each in whole} == {CALLER}


def test_a_collector_that_is_not_there_disturbs_nobody_and_is_waited_for_a_while(
    site_of: Callable[..., SmallSite], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(otel, "PATIENCE", 0.2)
    site = site_of(otel="http://127.0.0.1:1", otel_share=1.0)
    assert site.slate(user_id="u1")["step"] == "full"
    site.settle()
    exporting = site.app.state["runtime"].spans
    assert exporting.waiting == 0
    began = time.perf_counter()
    exporting.close()
    assert 0.15 < time.perf_counter() - began < 2.0


def test_without_a_collector_there_is_no_queue(site: SmallSite) -> None:
    assert site.app.state["runtime"].spans is None


def test_a_missing_extra_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "NEEDED", "opentelemetry_that_is_not_there.exporter")
    with pytest.raises(MissingExtra, match=r"pip install palate\[otel\]") as caught:
        listening(ServingSettings(otel="http://127.0.0.1:4318"), "", 0, None)
    assert "\n" not in caught.value.detail
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("parent", "kept"), [(SAMPLED, True), (UNSAMPLED, False), ("", None), ("00-a-b-zz", None)]
)
def test_the_flags_of_a_parent_say_whether_it_is_kept(parent: str, kept: bool | None) -> None:  # noqa: FBT001
    assert spans.sampled(parent) is kept
