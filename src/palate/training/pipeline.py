"""From the log to a release: tower, rows, ranker, gate, refit, publish.

1. The log is cut behind 70 % of its engagements, or later where the ranker needs less of it. The
   tower learns from what came before, and the last twentieth of that says when to stop and whether
   the tower is worth shipping.
2. The log is lived through again; the moments after the cut become lists for the ranker. Three
   times, ever later, one part of them trains it, the next calibrates it, the one after judges it;
   all the judgements together are the gate. What ships has then learnt from every list.
3. The tower goes on to learn from everything, so that what is served knows the newest events. It
   starts from the weights it has, so its scores keep the scale that the ranker was trained on.
"""

import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import msgspec
import numpy as np
import torch
from threadpoolctl import threadpool_limits

import palate
from palate.catalog.columns import ItemColumns
from palate.clock import Clock, SystemClock
from palate.errors import PalateError, Unavailable
from palate.events.batch import people
from palate.features.measured import write_measured
from palate.features.vector import layout_hash, meanings
from palate.index.opening import Building
from palate.models.content import TermEncoder
from palate.models.two_tower import TwoTower
from palate.releases.directory import ReleaseDirectory
from palate.releases.manifest import Manifest
from palate.releases.release import CONTENT, RANKER, TOWER, Release
from palate.stores import Stores, current_release, index_kind
from palate.training import sizing
from palate.training.checkpoint import FOLDER, Begun, Checkpoints, begun, clear
from palate.training.content.alike import alike_of
from palate.training.content.encoder import coded, encoder_of, model_of
from palate.training.dataset import Dataset, current_columns, read_dataset
from palate.training.export import export_tower
from palate.training.lock import training_lock
from palate.training.progress import Timed
from palate.training.ranking.blend import Blend
from palate.training.ranking.export import export_ranker
from palate.training.ranking.fitting import Fitted
from palate.training.ranking.forms.quantise import Reading, quantise
from palate.training.ranking.laplace import fit_laplace
from palate.training.ranking.moments.rows import GeneratorsOf, RowSource
from palate.training.ranking.stage import RankerOutcome, learn_ranker
from palate.training.report import Report, TrainingReport, silent
from palate.training.solved.stage import Solved, learn_solved, refit_solved
from palate.training.tower_stage import TowerOutcome, learn_tower, refit_tower

RECONSTRUCTED = (
    "{made:,} of the ranker's lists are reconstructed from history: what was on the screen is"
    " unknown there, and an item that nobody took counts as 0."
)
SHOWN = (
    "{shown:,} of the ranker's lists are pages that were logged as they were shown. The gate judges"
    " by reconstructed ones, for it needs all that could have been shown."
)
REFITTED = (
    "The ranker's rows were made with a tower that knew the log up to their beginning; the served"
    " tower knows all of it. It went on from the same weights, so the scales agree, but its scores"
    " are somewhat better than those the ranker was trained and judged on."
)


def train(
    stores: Stores,
    generators_of: GeneratorsOf,
    progress: Report,
    clock: Clock | None = None,
) -> TrainingReport:
    """Train a release, gate its parts, and promote it.

    `name` is None in the report where there was too little to learn from. Raises Conflict where
    another training of this site runs. Whatever ends it early leaves no half-written release.
    """
    settings = stores.settings
    threads = settings.training.threads
    with training_lock(settings.home), threadpool_limits(threads):
        torch.set_num_threads(threads)
        releases = ReleaseDirectory(settings.path(settings.stores.releases))
        run = _Run(stores, generators_of, progress, clock or SystemClock())
        try:
            report = run.run(releases)
        except Unavailable:  # an outage, as a crash: what was learnt until then is good
            raise
        except PalateError:
            clear(settings.home)
            raise
        clear(settings.home)
        progress("done", 1.0, " ".join(report.sentences))
        return report


class _Run:
    def __init__(
        self, stores: Stores, generators_of: GeneratorsOf, progress: Report, clock: Clock
    ) -> None:
        self.stores, self.generators_of = stores, generators_of
        self.settings, self.clock = stores.settings.training, clock
        kind, threads = index_kind(stores.settings), self.settings.threads
        self.how = Building(self.settings.seed, kind, threads)
        self.progress = Timed(progress)
        self.started = perf_counter()
        self.resumed: tuple[str, ...] = ()

    def run(self, releases: ReleaseDirectory) -> TrainingReport:
        self.content = self._content()
        columns = self._columns()
        self.stores = replace(self.stores, columns=columns)
        data = self._read(columns)
        engaged = int(data.engaged.sum())
        if engaged < self.settings.min_events:
            return self._nothing(
                f"learning begins at {self.settings.min_events:,} engagements ([training]"
                f" min_events), and there are {engaged:,} (clicks, views, likes, purchases …)"
            )
        columns, whole = self.stores.columns, self.stores.settings
        cut = sizing.cut(self.settings, data.takers, engaged)
        known = data, columns, self.settings, cut
        with ThreadPoolExecutor(1) as aside:  # numpy and scipy, while torch has the other core
            solving = aside.submit(learn_solved, *known, silent)
            tower = learn_tower(data, columns, whole, cut, self.progress, self.checkpoints)
            self.progress("solved", 0.0, "waiting for the linear filter and the factors")
            solved = solving.result()
        ranker = self._ranker(data, cut, tower, solved)
        if tower.towers is None and not ranker.fusion:
            return self._nothing(f"{tower.lacking}; {ranker.lacking}")
        return self._release(releases, data, solved, tower, ranker)

    def _read(self, columns: ItemColumns) -> Dataset:
        """The log, to its end or as far as a run had read that was ended before it was done."""
        home, now = self.stores.settings.home, self.clock.now()
        stopped = begun(home, now, self.settings.every_hours)
        if stopped is not None:
            data = read_dataset(self.stores, self.progress, stopped.position)
            kept = Checkpoints.of_run(home, data, columns, self.settings, stopped.at)
            if kept.of("tower").read() is not None:
                self.checkpoints, self.resumed = kept, (self._resumed(stopped, data.read),)
                self.progress("read", 1.0, *self.resumed)
                return data
        data = read_dataset(self.stores, self.progress)
        self.checkpoints = Checkpoints.of_run(home, data, columns, self.settings, now)
        return data

    def _resumed(self, stopped: Begun, read: int) -> str:
        at = datetime.fromtimestamp(stopped.at, UTC)
        return (
            f"This goes on with the training that was begun on {at:%Y-%m-%d at %H:%M} UTC and"
            f" ended early: it reads {read:,} of the {self.stores.log.count():,} events, as that"
            f" one did (to begin anew, delete {self.stores.settings.home / FOLDER} before)."
        )

    def _content(self) -> TermEncoder | None:
        """How this release is to understand items; None where their words are hashed."""
        if self.stores.settings.content.encoder != "hashed":
            self.progress("content", 0.0, "placing the words of the catalogue")
        return encoder_of(self.stores)

    def _columns(self) -> ItemColumns:
        """The catalogue as it is now, with codes and neighbours by content where that is learnt."""
        columns = current_columns(self.stores, self.content)
        if self.content is not None:
            seed = self.settings.seed
            self.books = coded(columns, seed)
            self.progress("content", 0.5, "looking for what is described alike")
            vectors = columns.content_vectors
            columns.alike = alike_of(self.stores.items, self.content, vectors, seed)
        return columns

    def _ranker(
        self, data: Dataset, cut: float, tower: TowerOutcome, solved: Solved
    ) -> RankerOutcome:
        live = current_release(self.stores.settings)
        with tempfile.TemporaryDirectory() as folder:
            candidate = solved.within(self._candidate(Path(folder), tower))
            source = RowSource(self.stores, self.generators_of, candidate, live)
            return learn_ranker(source, data, cut, self.progress)

    def _candidate(self, folder: Path, tower: TowerOutcome) -> Release:
        manifest = Manifest(created=self.clock.now(), version=palate.__version__)
        if tower.towers is None:
            return Release("candidate", manifest)
        names = tuple(self.stores.columns.category_names())
        export_tower(folder, tower.towers, names, self.how)
        return Release("candidate", manifest, TwoTower.load(folder))

    def _release(
        self,
        releases: ReleaseDirectory,
        data: Dataset,
        solved: Solved,
        tower: TowerOutcome,
        ranker: RankerOutcome,
    ) -> TrainingReport:
        staging = releases.begin()
        try:
            columns = self.stores.columns
            if self.content is not None:
                chosen = self.stores.settings.content.encoder
                made = model_of(chosen, self.content, columns, self.books)
                made.save(staging / CONTENT)
            refit_solved(solved, data, columns, self.how, self.progress).save(staging)
            ranker = self._write(staging, data, tower, ranker)
            manifest = self._manifest(data, solved, tower, ranker)
            self.progress("publish", 0.5, "sealing the release")
            name = releases.publish(staging, manifest)
        finally:
            releases.discard(staging)
        if ranker.promote:
            releases.promote(name)
        releases.prune()
        last = f"Release {name} is live." if ranker.promote else f"Release {name} was not promoted."
        verdicts = tower.verdict.sentence, ranker.verdict.sentence
        instead = _ranking_instead(self.stores.settings.plugins.ranker)
        sentences = (*self.resumed, *verdicts, *instead, last)
        return TrainingReport(
            name=name,
            promoted=ranker.promote,
            sentences=sentences,
            seconds=perf_counter() - self.started,
            manifest=releases.manifest(name),
        )

    def _write(
        self, staging: Path, data: Dataset, tower: TowerOutcome, ranker: RankerOutcome
    ) -> RankerOutcome:
        """Write what was learnt; the outcome, with what quantisation said of the ranker."""
        columns: list[int] = []
        if ranker.learnt is not None and ranker.facts is not None:
            facts = export_ranker(staging / RANKER, ranker.learnt, ranker.facts)
            if ranker.everybody is not None:
                ranker.everybody.save(staging / RANKER)
            laplace = fit_laplace(ranker.learnt, facts, ranker.judge)
            if laplace is not None:
                laplace.save(staging / RANKER)
            columns = [ranker.facts.features.index(name) for name in facts.features]
            ranker = replace(ranker, facts=facts)
        write_measured(staging, ranker.measured)
        network = ranker.learnt.network if isinstance(ranker.learnt, Blend) else ranker.learnt
        if isinstance(network, Fitted):
            read = Reading(columns, self.stores.settings.ranking.value)
            lost = quantise(staging / RANKER, network, ranker.judge, read)
            ranker = replace(ranker, metrics={**ranker.metrics, **lost})
        if tower.towers is None:
            return ranker
        known = self.stores.columns
        refit = data, known, self.settings, self.progress, self.checkpoints
        towers = refit_tower(tower.towers, *refit)
        names = tuple(known.category_names())
        wanted = self.stores.settings.retrieval.index_recall
        done = export_tower(staging / TOWER, towers, names, self.how, wanted)
        if done is None:
            return ranker
        found = {"index/recall@500": done.recall, "index/probes": float(done.probes)}
        return replace(ranker, metrics={**ranker.metrics, **found})

    def _manifest(
        self, data: Dataset, solved: Solved, tower: TowerOutcome, ranker: RankerOutcome
    ) -> Manifest:
        features = ranker.facts.features if ranker.learnt and ranker.facts else ()
        whole = self.stores.settings
        return Manifest(
            created=self.clock.now(),
            version=palate.__version__,
            layout=layout_hash(features) if features else "",
            features=features,
            definitions=meanings(features),
            log_position=int(data.events.position.max(initial=0)),
            data=self._counts(data) | dict(ranker.data),
            admitted=dict(ranker.admitted),
            fusion=dict(ranker.fusion),
            spread=ranker.spread,
            metrics=dict(tower.verdict.numbers) | dict(ranker.metrics),
            verdicts=(tower.verdict, *solved.verdicts, ranker.verdict),
            reconstructed=ranker.data.get("lists_reconstructed", 0.0) > 0,
            notes=_notes(ranker.data, refitted=tower.towers is not None),
            seconds=self.progress.seconds(),
            settings={
                "content": msgspec.to_builtins(whole.content),
                "training": msgspec.to_builtins(whole.training),
                "ranking": msgspec.to_builtins(whole.ranking),
                "covisit": msgspec.to_builtins(whole.covisit),
                "retrieval": msgspec.to_builtins(whole.retrieval),
            },
        )

    def _counts(self, data: Dataset) -> dict[str, float]:
        return {
            "events": data.read,
            "engagements": int(data.engaged.sum()),
            "users": len(np.unique(people(data.events))),
            "items": int((data.counts(data.part(1.0)) > 0).sum()),
        }

    def _nothing(self, lacking: str) -> TrainingReport:
        live = current_release(self.stores.settings)
        serves = f"release {live.name} goes on" if live else "what is counted live goes on"
        return TrainingReport(
            name=None,
            promoted=False,
            sentences=(*self.resumed, f"Nothing was trained, and {serves} serving: {lacking}."),
            seconds=perf_counter() - self.started,
        )


def _ranking_instead(plugin: str) -> tuple[str, ...]:
    """What a verdict on the ranker is worth where a plug-in ranks."""
    if not plugin:
        return ()
    told = (
        f"On this site the plug-in {plugin!r} ranks ([plugins] ranker): what is said of ranking is"
        " about what would rank without it."
    )
    return (told,)


def _notes(data: Mapping[str, float], *, refitted: bool) -> tuple[str, ...]:
    """Where the ranker's rows come from, and what became of the tower that made them."""
    made, shown = (int(data.get(f"lists_{how}", 0)) for how in ("reconstructed", "shown"))
    told = ((RECONSTRUCTED, made), (SHOWN, shown), (REFITTED, made + shown if refitted else 0))
    return tuple(note.format(made=made, shown=shown) for note, many in told if many)
