"""The whole comparison: for every seed and user model the same people under every policy."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import msgspec

from palate.errors import PalateError
from palate.evaluation.simulator.chances import Chances, propensities
from palate.evaluation.simulator.goals import Goal, goals
from palate.evaluation.simulator.measures import Measures, measures
from palate.evaluation.simulator.people import MODELS
from palate.evaluation.simulator.policies import NightlyIals, Oracle, Policy, Popular
from palate.evaluation.simulator.run import Plan, simulate
from palate.evaluation.simulator.served import Api, Served
from palate.evaluation.simulator.world import Act, World
from palate.testing.simulation.host import copied, hosted, site, train
from palate.testing.simulation.kept import Kept
from palate.testing.simulation.nightly import Nightly

POLICIES = ("palate", "greedy", "popularity", "ials", "oracle")
SERVED = {
    "palate": "",
    "greedy": '\n[explore]\nmethod = "greedy"\n[surfaces.home]\n"explore.every" = 1\n'
    '"explore.epsilon" = 0.142857\n',
}
"""What each served policy adds to ``palate.toml``: ε-greedy explores as many places of a page of
ten, by uniform draws."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What `palate simulate --report` found."""

    ok: bool
    goals: list[Goal]
    propensities: list[Chances]
    runs: list[Measures]
    seconds: float
    whole: bool
    """False where Ctrl-C or something that broke ended it early."""
    broke: str = ""
    """What that was."""


@dataclass(slots=True)
class Wish:
    """What is to be compared."""

    models: Sequence[str]
    seeds: Sequence[int]
    plan: Plan
    train: bool
    nightly: bool
    """Whether served policies learn anew between two days, as `palate up` does."""
    world: Callable[[int], tuple[World, list[Act]]]
    """By seed: the world, and what people did in it before."""
    base: Path | None = None
    """A site whose copies are visited, past and release included; None makes one per seed."""
    policies: Sequence[str] = POLICIES
    asked: str = ""
    """What tells this comparison from others in the file that keeps its parts."""
    keep: Path | None = None
    """A file of what is done; what it holds already is not run again."""


@dataclass(slots=True)
class Comparison:
    """Runs all of it, in a folder of its own."""

    wish: Wish
    folder: Path
    tell: Callable[[str, int, int], None]
    runs: list[Measures] = field(default_factory=list)
    chances: list[Chances] = field(default_factory=list)

    def run(self) -> Outcome:
        """Everything, or as much as there is when Ctrl-C comes. Raises BadInput for `keep`."""
        started, whole, broke = perf_counter(), True, ""
        kept = Kept(self.wish.keep, self.wish.asked)
        try:
            for seed in self.wish.seeds:
                self._seed(seed, kept)
        except KeyboardInterrupt:
            whole = False
        except PalateError as error:
            whole, broke = False, error.detail
        judged = goals(self.runs)
        ok = whole and all(g.ok for g in judged) and all(c.true for c in self.chances)
        return Outcome(
            ok=ok,
            goals=judged,
            propensities=self.chances,
            runs=self.runs,
            seconds=round(perf_counter() - started, 1),
            whole=whole,
            broke=broke,
        )

    def _seed(self, seed: int, kept: Kept) -> None:
        for part in (kept.find(seed, model) for model in self.wish.models):
            if part is not None:
                self.runs += part.runs
                self.chances += part.propensities
        left = [model for model in self.wish.models if kept.find(seed, model) is None]
        if not left:
            return
        world, acts = self.wish.world(seed)
        served = any(name in SERVED for name in self.wish.policies)
        base = self._base(seed, world, acts) if served else self.folder
        for model in left:
            runs, chances = len(self.runs), len(self.chances)
            for name in self.wish.policies:
                with self._policy(name, world, acts, base) as policy:
                    self._one(policy, world, acts, (model, seed))
            kept.add(seed, model, self.runs[runs:], self.chances[chances:])
        if served:
            shutil.rmtree(base, ignore_errors=True)

    def _one(
        self, policy: Policy, world: World, acts: Sequence[Act], which: tuple[str, int]
    ) -> None:
        model, seed = which
        doing = f"seed {seed}, {model}, {policy.name}"
        plan = self.wish.plan._replace(seed=seed)
        run = simulate(
            world, MODELS[model], policy, plan, acts, lambda n, of: self.tell(doing, n, of)
        )
        if run.looks:
            self.runs.append(measures(run, world, plan, (policy.name, model)))
        if not run.whole:
            raise KeyboardInterrupt
        if isinstance(policy, Served) and policy.name == "palate":
            checking, asked = f"seed {seed}, {model}, propensities", world.filters()
            chances = propensities(policy.api, asked, lambda n, of: self.tell(checking, n, of))
            self.chances.append(chances)

    def _base(self, seed: int, world: World, acts: Sequence[Act]) -> Path:
        """The site as it is before anybody visits."""
        folder = self.folder / f"base-{seed}"
        if self.wish.base is not None:
            return copied(self.wish.base, folder)
        self.tell(f"seed {seed}, the past", 0, 1)
        with hosted(site(folder)) as url:
            Served("palate", Api.at(url), world).fill(acts)
        self.tell(f"seed {seed}, the past", 1, 1)
        if self.wish.train:
            self.tell(f"seed {seed}, training", 0, 1)
            train(folder)
            self.tell(f"seed {seed}, training", 1, 1)
        return folder

    @contextmanager
    def _policy(self, name: str, world: World, acts: Sequence[Act], base: Path) -> Iterator[Policy]:
        """A policy as new; a served one on its own copy of the site, which goes again."""
        if name == "oracle":
            yield Oracle(world)
        elif name == "popularity":
            yield Popular(world, acts)
        elif name == "ials":
            yield NightlyIals(world, acts, Nightly())
        else:
            with ExitStack() as stack:
                folder = copied(base, self.folder / name, SERVED[name])
                stack.callback(shutil.rmtree, folder, ignore_errors=True)
                api = Api.at(stack.enter_context(hosted(folder)))
                yield Served(name, api, world, self._night(folder, api))

    def _night(self, folder: Path, api: Api) -> Callable[[], None] | None:
        """Learning anew, until what is live then is served."""
        if not self.wish.nightly:
            return None
        return lambda: api.serves(train(folder))
