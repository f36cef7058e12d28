"""One typed tree of settings: defaults, what was tuned, `palate.toml`, environment.

`palate.settings_files` lays them over one another. `palate.template` writes the commented file of a
new site from this very text, so a setting and its meaning stand in one place.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from palate.settings_loop import (
    Amount,
    AttributionSettings,
    Count,
    ExploreSettings,
    LedgerSettings,
    Part,
    Positive,
    Share,
    StreamingSettings,
)
from palate.settings_serving import ServingSettings as ServingSettings  # noqa: PLC0414  one tree

FILE = "palate.toml"
TUNED = "tuned.toml"


class SiteSettings(Part, frozen=True):
    """``[site]``: the tenant."""

    name: str = "site"
    """Shown in logs, metrics and the console."""
    language: str = "en"
    """Language of the site's texts, as in HTML's ``lang``. Reasons are told in it, or in that of
    the visitor's profile, where there are words for it: de, en, fr, and files in ``wording/``."""
    noun: str = "item"
    """What the storefront calls one of the things it shows: ``film``, ``article``, ``product``."""
    nouns: str = "items"
    """The same in the plural."""
    viewed: str = "viewed"
    """What a visitor did who took one in: "Because you viewed …", "Viewed it"."""


class StoreSettings(Part, frozen=True):
    """``[stores]``: one URL per back-end; relative paths are below the site's folder."""

    catalog: str = "sqlite:catalog.db"
    """Items and users."""
    events: str = "sqlite:events.db"
    """The event log, the only truth: keep backups of this one."""
    online: str = "lmdb:online"
    """User state and item counters; can be rebuilt from the log."""
    offline: str = "file:offline"
    """Training data and impressions with their features."""
    index: str = "ivf:"
    """Nearest neighbours beyond 20,000 items, inside a release; ``faiss:`` for FAISS's, from the
    next training on."""
    columns: str = "columns"
    """Folder of the memory-mapped projections."""
    rules: str = "sqlite:rules.db"
    """What operators want of the lists, and who changed it."""
    releases: str = "releases"
    """Folder of what training made."""
    online_gigabytes: Annotated[float, msgspec.Meta(gt=0)] = 16.0
    """Upper bound of the LMDB map (address space, not memory)."""


class CovisitSettings(Part, frozen=True):
    """``[covisit]``: which items follow which.

    Where one of the first six settings changes, the stream worker counts the whole log again when
    it starts next; the others take effect at the next start alone, `content_weight` with the next
    release.
    """

    window: Annotated[int, msgspec.Meta(ge=1, le=100)] = 10
    """Items taken in before this one that are paired with it."""
    gamma: Amount = 0.75
    """How fast a pair's weight falls with its distance."""
    back: Amount = 0.6
    """Weight of a pair read backwards."""
    half_life_days: Amount = 0.0
    """Counts lose half their worth in so many days; 0 keeps them for ever."""
    neighbours: Annotated[int, msgspec.Meta(ge=8, le=65_536)] = 1_024
    """Most neighbours that an item keeps."""
    megabytes: Positive = 256
    """Bound of the whole table; a large catalogue keeps fewer neighbours an item (but 32)."""
    alpha: Amount = 0.5
    """How much an item of the history is held down for its own popularity."""
    beta: Amount = 0.2
    """How much a candidate is held down for its popularity."""
    decay: Share = 0.6
    """Weight of an item of the history per step back."""
    history: Annotated[int, msgspec.Meta(ge=1, le=200)] = 20
    """Newest items of the history that are read."""
    content_weight: Amount = 0.0
    """So many pairs are added where two items are described alike (times their cosine); the next
    release finds which those are. 0 for none."""


class RetrievalSettings(Part, frozen=True):
    """``[retrieval]``: who proposes how much on Home."""

    quotas: dict[str, Count] = {}
    """By generator: so many of its first candidates are in the pool whatever they are worth; the
    rest of the pool goes by worth, by weights that each training finds. A generator that Home does
    not ask is passed over."""
    index_recall: Share = 0.95
    """Of the 500 items nearest to a visitor, so many a release's index finds at least: training
    widens its search until it does. More is slower; catalogues up to 20,000 items miss none."""


class FeatureSettings(Part, frozen=True):
    """``[features]``: what segments users."""

    segment_by: tuple[str, ...] = ("country", "age_band", "gender")
    """Profile fields or attributes; `age_band` comes from `birth_year` or the attribute `age`."""
    segments: Annotated[int, msgspec.Meta(ge=1, le=255)] = 16
    """How many segments are told apart (hashed)."""
    regions: Annotated[int, msgspec.Meta(ge=0, le=64)] = 32
    """How many regions have their own popularity (the user's `country`, hashed); 0 for none."""


class ContentSettings(Part, frozen=True):
    """``[content]``: how a release understands what items say of themselves."""

    encoder: Literal["hashed", "tfidf", "minilm"] = "tfidf"
    """`hashed` gives every word a direction by chance; `tfidf` learns from the catalogue which
    words go together and which ones tell items apart; `minilm` also reads whole sentences (needs
    the extra `text`, 3 to 50 ms a text). Before the first release all words are hashed."""


class TrainingSettings(Part, frozen=True):
    """``[training]``: how a release is made."""

    seed: Count = 1
    """Where all chance of training comes from."""
    min_events: Count = 200
    """Below this nothing is trained: counting serves better."""
    dim: Positive = 64
    """Width of the towers' vectors."""
    history: Positive = 50
    """Events of a user that the user tower reads."""
    blocks: Positive = 1
    """Transformer blocks of the user tower; a second one makes asking five times slower."""
    epochs: Count = 0
    """At most this many passes over the history; 0: by its length (8 over 65,000 steps of people
    with long histories, 30 of people with short ones)."""
    batch_size: Positive = 1_024
    """Events in one step of the towers."""
    learning_rate: Annotated[float, msgspec.Meta(gt=0)] = 4e-3
    """Step size of the towers' optimiser."""
    weight_decay: Amount = 1e-4
    """Pull of the weights towards zero."""
    seeds: Positive = 1
    """Two-towers learnt from different seeds and served as one, the mean of their scores; each
    takes its time to learn, and its part of a vector to serve."""
    dropout: Share | Literal["auto"] = "auto"
    """Share of activations dropped in training; `auto`: .5 where histories are short, else .2."""
    refit: Amount = 0.2
    """Passes of the towers' last round, over the whole log, as a share of those that were best."""
    tower_seconds: Amount = 900.0
    """Safety limit of one tower training, in its own CPU seconds; 0 is none."""
    ease_items: Count = 5_000
    """Catalogues up to this size may get a dense item filter (EASE); its time grows with the
    cube. 20,000 takes a minute and 5 GB."""
    ranker_queries: Count = 0
    """Moments of the history that are replayed into training rows; 0: by how many people there
    are (1,300 to 4,000)."""
    horizon: Positive = 200
    """Engagements from a moment on that count as what the user wanted then: 1 learns what comes
    right next, 200 what people take over the coming weeks (which a page is for)."""
    attribution_hours: Annotated[float, msgspec.Meta(gt=0)] = 24.0
    """After a page was shown, acts on its items count as its outcome for so long."""
    ranker_candidates: Positive = 100
    """Candidates kept for each of them."""
    ranker: Literal["blend", "network", "lambdamart", "auto"] = "blend"
    """What learns to rank: a network, boosted trees, or the mean of both; `auto` ships what orders
    held-out moments best."""
    ranker_width: Positive = 96
    """Numbers that the network brings its inputs down to; large logs repay 256."""
    ranker_epochs: Positive = 3
    """At most this many passes over those rows."""
    ranker_seconds: Amount = 30.0
    """Safety limit of one ranker training, in its own CPU seconds."""
    threads: Positive = 1
    """Cores that training may use."""
    every_hours: Amount = 24.0
    """`palate up`: a new release is trained this often, when there are new events."""


class RankingSettings(Part, frozen=True):
    """``[ranking]``: from the ranker's heads to one number."""

    value: dict[str, float] = msgspec.field(
        default_factory=lambda: {"click": 1.0, "view": 0.3, "positive": 0.3, "negative": -0.3}
    )
    """Value formula: the weight of each calibrated probability."""
    personal: Share = 0.001
    """Share of hits (NDCG@10) that training may give up to show those whom it knows less of what
    everybody is shown; 0.01 shows still more different items, and costs more than that in life."""
    spread: Share = 0.01
    """Share of hits (NDCG@10) that training may give up for pages of Home and New For You whose
    items are unlike one another; 0 leaves them in the ranker's order, 1 spreads them in full."""


class GateSettings(Part, frozen=True):
    """``[gate]``: what a learnt ranker has to keep besides its hits.

    Shares are of what weighted fusion does, and, for the release, of what the live one does where
    enough people came since that was made.
    """

    coverage: Share = 0.5
    """Different items it puts on first pages, as a share of what the others do."""
    diversity: Share = 0.7
    """How unlike the items of a page are, as a share of theirs."""
    fresh: Share = 0.3
    """Items new within 30 days on its pages, as a share of theirs."""
    calibration: Share = 0.02
    """Largest expected calibration error of any head."""


class PageSettings(Part, frozen=True):
    """``[pages.NAME]``: a whole page of rows; `home` is there without being named."""

    rows: tuple[str, ...] = (
        "continue_watching",
        "home",
        "because_you_watched",
        "new_for_you",
        "trending",
    )
    """Surfaces that may be rows; they are ordered for each visitor."""
    first: tuple[str, ...] = ("continue_watching",)
    """Rows that stand at the top wherever they have anything."""
    anchors: Count = 2
    """Rows of `because_you_watched`, each about another item."""
    least: Positive = 4
    """Items below which a row is left out."""


class PluginSettings(Part, frozen=True):
    """``[plugins]``: parts of other packages, by the names of their entry points."""

    generators: tuple[str, ...] = ()
    """Home asks these besides its own (entry points ``palate.generators``)."""
    ranker: str = ""
    """Ranks Home instead of what training made (entry points ``palate.rankers``)."""


class Settings(Part, frozen=True):
    """The whole tree. `home` is the site's folder."""

    home: Path = Path()
    site: SiteSettings = SiteSettings()
    stores: StoreSettings = StoreSettings()
    serving: ServingSettings = ServingSettings()
    streaming: StreamingSettings = StreamingSettings()
    attribution: AttributionSettings = AttributionSettings()
    covisit: CovisitSettings = CovisitSettings()
    retrieval: RetrievalSettings = RetrievalSettings()
    features: FeatureSettings = FeatureSettings()
    content: ContentSettings = ContentSettings()
    training: TrainingSettings = TrainingSettings()
    ranking: RankingSettings = RankingSettings()
    gate: GateSettings = GateSettings()
    explore: ExploreSettings = ExploreSettings()
    ledger: LedgerSettings = LedgerSettings()
    plugins: PluginSettings = PluginSettings()
    surfaces: dict[str, dict[str, Any]] = {}
    """Per surface, by dotted name: ``[surfaces.home]`` then ``"at_most.cap" = 3``."""
    pages: dict[str, PageSettings] = {}
    """Whole pages of rows: ``[pages.kids]`` then ``rows = ["home", "trending"]``."""
    rules: dict[str, dict[str, Any]] = {}
    """What the lists should obey: ``[rules.summer]`` then ``kind = "pin"``; see `palate.rules`."""

    def path(self, name: str) -> Path:
        """A path of the settings, below the site's folder unless it is absolute."""
        return self.home / name
