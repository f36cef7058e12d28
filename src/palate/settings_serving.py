"""``[serving]``, the largest table: where a site listens, its bounds, its time, its rates."""

from typing import Annotated, Literal

import msgspec

from palate.settings_loop import Amount, Count, Part, Port, Positive, Share


class ServingSettings(Part, frozen=True):
    """``[serving]``: the HTTP edge."""

    host: str = "127.0.0.1"
    """Address to listen on; anything but loopback needs an API key."""
    port: Port = 8700
    """TCP port; 0 takes a free one."""
    workers: Positive = 1
    """Processes that answer requests; one per core is a good number."""
    most_connections: Positive = 1_024
    """Open connections of one worker, idle ones too; of more the next ones wait in the kernel until
    one closes."""
    api_keys: tuple[str, ...] = ()
    """For ``Authorization: Bearer …`` or ``X-API-Key``; none is allowed on loopback only."""
    max_body_bytes: Positive = 8_000_000
    """Larger request bodies are refused."""
    max_events: Positive = 10_000
    """In one POST /v1/events."""
    oldest_days: Amount = 3_650.0
    """An event that claims to be older than this happened when it came in: its device's clock is
    lost. Where only devices send, and no past, days are enough; 0 believes every time."""
    max_waiting_events: Positive = 50_000
    """Events that wait for the disk in one worker; beyond them senders are told to come again."""
    max_items: Positive = 10_000
    """In one bulk POST /v1/items."""
    max_limit: Positive = 100
    """Largest ``limit`` of a slate."""
    max_excluded: Count = 2_000
    """How many items the pages of one session may hold back."""
    profiles: Positive = 10_000
    """Profiles that a worker keeps for a second, so that a visitor's requests read one once."""
    names: Positive = 50_000
    """Items whose id and title a worker keeps at hand, half a kilobyte each."""
    filters: Positive = 16
    """Answers to requests' filters that a worker keeps; each is a byte an item, and rows."""
    compiled_filters: Positive = 256
    """Filters that are kept as parsed and checked."""
    policies: Positive = 16
    """Kinds of visitors (region, age) of whom a worker keeps what they may see, as large as a
    filter's answer, where the catalogue bars much."""
    waiting_impressions: Positive = 10_000
    """Impressions that wait for the log in one worker; of more the newest are lost, and counted."""
    waiting_traces: Positive = 1_000
    """The same of traces that wait for their file."""
    waiting_features: Positive = 1_000
    """The same of the features of a page that wait to be kept for the join."""
    newcomers: Positive = 20_000
    """Items that came after the release and that a worker lets learn from their first events."""
    last_slates: Count = 20_000
    """Visitors of whom a worker keeps the last page of a surface, for when nothing else answers."""
    budget_ms: Amount = 50.0
    """Milliseconds that an answer may take, and that `?budget_ms=` of a request goes before; what
    does not fit is left out by what it brings for its time. 0 is no budget."""
    page_ms: Amount = 300.0
    """The same for a whole page of rows: each row gets an even part of what is left. 0 is none."""
    why_ms: Annotated[float, msgspec.Meta(gt=0)] = 10_000.0
    """Milliseconds that `/v1/why` and a preview of rules wait for generators."""
    most_at_once: Positive = 32
    """Answers that a worker has under way at most; latency lowers it."""
    most_waiting: Count = 512
    """Requests that wait for their turn in a worker; who comes later is turned away."""
    reads_per_second: Amount = 0.0
    """Requests under /v1 that only read and that one caller (an API key; without keys an address)
    may send a second, over all workers; beyond it they get 429 with `Retry-After`. 0: no limit."""
    writes_per_second: Amount = 0.0
    """The same of requests that write: a batch of events is one."""
    rate_burst_seconds: Annotated[float, msgspec.Meta(gt=0)] = 2.0
    """After a silence a caller may send what is allowed in so many seconds at once."""
    rate_callers: Positive = 16_384
    """Callers that are told apart at a time (16 bytes each): of more, those are forgotten whose
    allowance is back the soonest."""
    quality_step: Annotated[float, msgspec.Meta(gt=0, le=0.01)] = 0.001
    """What the quality knob gains with each answer that was in time; a late one costs 99 times
    that."""
    traces: Count = 2_000
    """How many of the newest traces are kept."""
    trace_rate: Share = 1.0
    """Share of requests whose trace is kept."""
    traces_per_second: Amount = 20.0
    """Traces that a worker keeps under load, once `traces` of them came in a burst: writing one
    costs as much as a tenth of an answer."""
    drain_seconds: Amount = 3.0
    """A worker that is replaced (SIGHUP to `palate serve`) goes on for so long once the next one is
    warm, with `Connection: close` in its answers, so that clients go over to the next one."""
    otel: str = ""
    """OpenTelemetry collector that gets a trace of answers (OTLP over HTTP, such as
    ``http://127.0.0.1:4318``; needs the extra `otel`); "" for none."""
    otel_share: Share = 0.05
    """Share of answers that are traced there; of those with a `traceparent` its caller decides."""
    waiting_spans: Positive = 1_000
    """Answers that wait to become spans; of more the newest are lost, and counted."""
    stuck_seconds: Amount = 20.0
    """A worker whose event loop stands still for so long is ended and started anew; 0 waits."""
    log: Literal["text", "json"] = "text"
    """How workers speak: lines for people, or a JSON object a line."""
    warm_megabytes: Count = 4_096
    """Of the files that a worker maps (release, columns) so much is put at hand before it answers
    or a new release does; the rest comes as it is asked for."""
    release_poll_seconds: Annotated[float, msgspec.Meta(gt=0)] = 0.5
    """How often a worker looks for a new release."""
    fold_in_seconds: Annotated[float, msgspec.Meta(gt=0)] = 10.0
    """How often a worker lets items that came after the release learn from their first events."""
