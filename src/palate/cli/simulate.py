"""Send a crowd of simulated people to a site: to fill it, to load it, to judge it."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.console import Group

from palate import __version__
from palate.cli.output import console, facts, progress_bar, table_of
from palate.cli.site import JsonOption, settings_of
from palate.clock import SystemClock
from palate.errors import BadInput
from palate.evaluation.simulator.fitted import fitted
from palate.evaluation.simulator.load import Load, Loading
from palate.evaluation.simulator.measures import Measures, measures
from palate.evaluation.simulator.people import MODELS
from palate.evaluation.simulator.run import Plan, simulate
from palate.evaluation.simulator.served import Api, Served
from palate.evaluation.simulator.world import Act, Size, World, free, past
from palate.stores import open_sources
from palate.testing.simulation.host import hosted, site
from palate.testing.simulation.report import POLICIES, Comparison, Outcome, Wish

app = typer.Typer()
MOST_RATE = 20_000.0
Tell = Callable[[str, int, int], None]

UrlOption = Annotated[
    str, typer.Option(help="A running site to visit.", show_default="one of its own")
]
FitOption = Annotated[
    Path | None,
    typer.Option(
        "--site", "-s", help="Fit the world to this site's log.", show_default="a free world"
    ),
]
ReportOption = Annotated[
    bool, typer.Option("--report", help="Compare the whole of Palate with what it has to beat.")
]
ModelsOption = Annotated[str, typer.Option(help="How people read, with commas between.")]
SeedsOption = Annotated[int, typer.Option(min=1, help="With --report: so many seeds.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Of the world and of everybody's luck.")]
DaysOption = Annotated[int, typer.Option(min=1, max=60, help="Days that people visit.")]
ItemsOption = Annotated[int, typer.Option(min=100, help="Items of a free world.")]
UsersOption = Annotated[int, typer.Option(min=20, help="People of a free world with a past.")]
NewOption = Annotated[int, typer.Option(min=4, help="Newcomers, and known people who visit.")]
ArrivalsOption = Annotated[int, typer.Option(min=0, help="New items on the second day.")]
PoliciesOption = Annotated[str, typer.Option(help="With --report: only these of all policies.")]
TrainOption = Annotated[
    bool, typer.Option("--train/--no-train", help="With --report: train a release first.")
]
NightlyOption = Annotated[
    bool,
    typer.Option(
        "--nightly/--no-nightly",
        help="With --report: and a new one every night, as `palate up` does.",
    ),
]
KeepOption = Annotated[
    Path | None,
    typer.Option(
        help="With --report: a file of what is done; what is in it is not run again.",
        show_default="none",
        dir_okay=False,
    ),
]
RateOption = Annotated[
    float, typer.Option(min=0, max=MOST_RATE, help="Load: so many pages a second; 0 is none.")
]
SecondsOption = Annotated[float, typer.Option(min=0.1, help="Load: for so long.")]
KeyOption = Annotated[
    str, typer.Option(help="API key of the site.", envvar="PALATE_API_KEY", show_default="none")
]


@dataclass(frozen=True, slots=True)
class Where:
    """Whom the crowd visits, and in which world it lives."""

    url: str
    key: str
    fit: Path | None
    seed: int
    size: Size

    def world(self, seed: int) -> tuple[World, list[Act]]:
        """The world of a seed, and what people did in it before."""
        if self.fit is None:
            world = free(seed, self.size)
            return world, list(past(world, seed, SystemClock().now(), self.size.past))
        # A site of somebody's own gets visitors, and no items that are made up.
        size = self.size._replace(arrivals=0) if self.url else self.size
        with open_sources(settings_of(self.fit)) as sources:
            return fitted(sources, seed, size)


@app.command()
def main(  # noqa: PLR0913, PLR0917  the command's options
    url: UrlOption = "",
    fit: FitOption = None,
    report: ReportOption = False,  # noqa: FBT002  Typer's form
    models: ModelsOption = "position,cascade,varied",
    seed: SeedOption = 1,
    seeds: SeedsOption = 3,
    days: DaysOption = 4,
    items: ItemsOption = 2_000,
    users: UsersOption = 800,
    newcomers: NewOption = 160,
    arrivals: ArrivalsOption = 40,
    policies: PoliciesOption = "palate,greedy,popularity,ials,oracle",
    train: TrainOption = True,  # noqa: FBT002
    nightly: NightlyOption = False,  # noqa: FBT002
    keep: KeepOption = None,
    rate: RateOption = 0.0,
    seconds: SecondsOption = 30.0,
    key: KeyOption = "",
    as_json: JsonOption = False,  # noqa: FBT002
) -> None:
    """Send simulated people, whose tastes nobody is told, to a site over its public API.

    With **--report** the same people visit Palate, ε-greedy exploration, popularity and a nightly
    iALS, several seeds and three ways to read a page. With **--rate** the crowd is a load.

    Example: **palate simulate --report --json**
    """
    read = _listed(models, list(MODELS), "--models")
    size = Size(items, users, arrivals=arrivals, newcomers=min(newcomers, users))
    where, plan = Where(url, key, fit, seed, size), Plan(seed=seed, days=days)
    with progress_bar() as tell, TemporaryDirectory(prefix="palate-simulate-") as folder:
        if report:
            chosen = _listed(policies, list(POLICIES), "--policies")
            several = range(seed, seed + seeds)
            nightly = nightly and train
            asked = f"{size} {days=} {chosen} {fit} {train=} {nightly=} palate {__version__}"
            wish = Wish(read, several, plan, train, nightly, where.world, fit, chosen, asked, keep)
            told = Comparison(wish, Path(folder), tell).run()
            facts(told, as_json=as_json, table=_compared(told))
            if told.broke:
                console.print(f"broken off: {told.broke}", markup=False)
            raise typer.Exit(0 if told.ok else 1)
        with _visited(where, Path(folder), tell) as (served, acts):
            if rate:
                loading = Loading(served, MODELS[read[0]], seed)
                load = asyncio.run(loading.run(rate, seconds, lambda n, of: tell("pages", n, of)))
                facts(load, as_json=as_json, table=_loaded(load))
                return
            found = [_crowd(served, name, plan, acts, tell) for name in read[:1]]
        facts(found[0], as_json=as_json, table=_table(found))


def _crowd(served: Served, name: str, plan: Plan, acts: Sequence[Act], tell: Tell) -> Measures:
    run = simulate(
        served.world, MODELS[name], served, plan, acts, lambda n, of: tell("visits", n, of)
    )
    return measures(run, served.world, plan, ("palate", name))


@contextmanager
def _visited(where: Where, folder: Path, tell: Tell) -> Iterator[tuple[Served, list[Act]]]:
    """The site, with the world's items in it."""
    world, acts = where.world(where.seed)
    with ExitStack() as stack:
        url = where.url or stack.enter_context(hosted(site(folder / "site")))
        served = Served("palate", Api.at(url, where.key), world)
        if where.fit is None or not where.url:
            tell("the past", 0, 1)
            _fill(served, acts)
            tell("the past", 1, 1)
        yield served, acts


def _fill(served: Served, acts: Sequence[Act]) -> None:
    """Bring the world to an empty site; one of somebody's own is left alone."""
    held = served.api.call("GET", "/readyz")["items"]
    if not held:
        served.fill(acts)
        return
    ask = {"item_id": served.world.items[0]}
    if not served.api.call("GET", "/v1/items", params=ask)["items"]:
        raise BadInput(
            f"that site has {held} items of its own, and the crowd would bring others: name the"
            " site's folder with --site, so that the world is fitted to them"
        )


def _listed(text: str, known: Sequence[str], option: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    wrong = [name for name in names if name not in known]
    if wrong or not names:
        raise BadInput(f"{option}: {', '.join(wrong) or 'nothing'}; there are {', '.join(known)}")
    return names


HEAD = {
    "policy": "policy",
    "model": "model",
    "seed": "seed",
    "clicks_per_visit": "clicks",
    "click_rate": "rate",
    "first_page": "first",
    "fair_after": "fair",
    "coverage": "cover",
    "gini": "Gini",
    "diversity": "divers",
}


def _table(found: Sequence[Measures]) -> Any:
    rows = [[_short(getattr(each, name)) for name in HEAD] for each in found]
    return table_of("What people did", list(HEAD.values()), rows)


def _short(value: object) -> object:
    return f"{value:.3g}" if isinstance(value, float) else value


def _compared(told: Outcome) -> Group:
    head = ("goal", "value", "95 %", "least", "most", "target", "held")
    rows = [
        (
            g.name,
            f"{g.value:.2f}",
            "" if g.low is None else f"{g.low:.2f} to {g.high:.2f}",
            f"{g.least:.2f}",
            f"{g.most:.2f}",
            g.target,
            "yes" if g.ok else "NO",
        )
        for g in told.goals
    ]
    chances = [
        (c.asked, c.items, c.worst, c.chi, c.steady, "yes" if c.true else "NO")
        for c in told.propensities
    ]
    return Group(
        _table(told.runs),
        table_of("Goals, over seeds and models", head, rows),
        table_of(
            "Propensities, logged and counted",
            ("asked", "items", "worst z", "chi² / n", "certain again", "true"),
            chances,
        ),
    )


def _loaded(load: Load) -> str:
    refused = ", ".join(f"{n} x {why}" for why, n in load.refused.items()) or "none"
    return (
        f"{load.answered:,} of {load.asked:,} pages answered, {load.rate:.1f} a second;"
        f" p50 {load.p50_ms:.1f} ms, p99 {load.p99_ms:.1f} ms; {load.events:,} events"
        f" acknowledged; refused: {refused}"
    )
