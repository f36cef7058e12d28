"""One typed tree of settings: defaults here, `palate.toml` over them, the environment over both.

`PALATE_SERVING__PORT=8701` overrides ``port`` of ``[serving]``.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from palate.errors import BadInput, Problem

FILE = "palate.toml"


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file: unknown names are refused, so that a typo cannot pass for a setting."""


class SiteSettings(_Part):
    """``[site]``: the tenant."""

    name: str = "site"
    language: str = "en"


class StoreSettings(_Part):
    """``[stores]``: one URL per back-end; relative paths are below the site's folder."""

    catalog: str = "sqlite:catalog.db"
    events: str = "sqlite:events.db"
    online: str = "lmdb:online"
    offline: str = "file:offline"
    index: str = "faiss:"
    columns: str = "columns"
    """Folder of the memory-mapped projections."""
    releases: str = "releases"
    online_gigabytes: float = 16.0
    """Upper bound of the LMDB map (address space, not memory)."""


class ServingSettings(_Part):
    """``[serving]``: the HTTP edge."""

    host: str = "127.0.0.1"
    port: int = 8700
    workers: int = 1
    api_keys: tuple[str, ...] = ()
    """Accepted in ``Authorization: Bearer …`` or ``X-API-Key``; none is allowed on loopback only."""
    max_body_bytes: int = 8_000_000
    max_events: int = 10_000
    """In one POST /v1/events."""
    max_items: int = 10_000
    """In one bulk POST /v1/items."""
    max_limit: int = 100
    """Largest ``limit`` of a slate."""
    max_excluded: int = 2_000
    """How many items the pages of one session may hold back."""
    traces: int = 2_000
    """How many of the newest traces are kept."""
    trace_rate: float = 1.0
    """Share of requests whose trace is kept."""
    release_poll_seconds: float = 0.5


class StreamingSettings(_Part):
    """``[streaming]``: from the log to the state."""

    poll_milliseconds: float = 15.0
    batch: int = 2_000
    """Events folded in one transaction."""
    boards_seconds: float = 0.25
    """How often leaderboards are computed anew while events flow."""
    session_gap_minutes: float = 30.0
    seen_limit: int = 5_000
    """Items a user's record remembers as seen."""
    covisit_megabytes: int = 256
    """Bound of the co-visitation table; decides how many neighbours an item keeps."""


class FeatureSettings(_Part):
    """``[features]``: what segments users."""

    segment_by: tuple[str, ...] = ("country", "age_band", "gender")
    """Profile fields or attributes; `age_band` comes from `birth_year` or the attribute `age`."""
    segments: int = 16
    """How many segments are told apart (hashed)."""


class TrainingSettings(_Part):
    """``[training]``: how a release is made."""

    seed: int = 1
    min_events: int = 200
    """Below this nothing is trained: counting serves better."""
    dim: int = 64
    history: int = 50
    epochs: int = 12
    batch_size: int = 256
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    dropout: float = 0.3
    tower_seconds: float = 40.0
    """Time limit of one tower training; early stopping may end it sooner."""
    ranker_queries: int = 4_000
    """Moments of the history that are replayed into training rows."""
    ranker_candidates: int = 100
    """Candidates kept for each of them."""
    ranker_epochs: int = 8
    ranker_seconds: float = 30.0
    threads: int = 2
    every_hours: float = 24.0
    """`palate up`: a new release is trained this often, when there are new events."""


class RankingSettings(_Part):
    """``[ranking]``: from the ranker's heads to one number."""

    value: dict[str, float] = msgspec.field(
        default_factory=lambda: {"click": 1.0, "positive": 1.0, "negative": -0.5}
    )
    """Value formula: the weight of each calibrated probability."""


class ExploreSettings(_Part):
    """``[explore]``: slots given to items in order to learn about them."""

    epsilon: float = 0.1
    """Probability with which a slot that may explore does so."""




class Settings(_Part):
    """The whole tree. `home` is the site's folder."""

    home: Path = Path()
    site: SiteSettings = SiteSettings()
    stores: StoreSettings = StoreSettings()
    serving: ServingSettings = ServingSettings()
    streaming: StreamingSettings = StreamingSettings()
    features: FeatureSettings = FeatureSettings()
    training: TrainingSettings = TrainingSettings()
    ranking: RankingSettings = RankingSettings()
    explore: ExploreSettings = ExploreSettings()
    surfaces: dict[str, dict[str, Any]] = {}
    """Per surface, by dotted name: ``[surfaces.home]`` then ``"at_most.cap" = 3``."""

    def path(self, name: str) -> Path:
        """A path of the settings, below the site's folder unless it is absolute."""
        return self.home / name


def load(home: Path, environment: Mapping[str, str]) -> Settings:
    """Read ``home/palate.toml`` and lay the environment over it.

    Raises BadInput where there is no such file, or a name or value in it is wrong.
    """
    file = home / FILE
    if not file.is_file():
        raise BadInput(f"{home} is not a site: it has no {FILE}; make one with `palate init {home}`")
    try:
        tree: dict[str, Any] = tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{file}: {error}", [Problem(str(file), str(error))]) from error
    _overlay(tree, environment)
    try:
        return msgspec.convert(tree | {"home": str(home.resolve())}, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise BadInput(f"{file}: {error}", [Problem(str(file), str(error))]) from error


def _overlay(tree: dict[str, Any], environment: Mapping[str, str]) -> None:
    for name, value in environment.items():
        table, _, key = name.removeprefix("PALATE_").lower().partition("__")
        if name.startswith("PALATE_") and key:
            tree.setdefault(table, {})[key] = value
