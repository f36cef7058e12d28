"""The whole engine on a real history: fetch, import, serve, learn, and a site to look at."""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Annotated

import httpx
import msgspec
import typer
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from palate.cli.listening import address
from palate.cli.output import console, progress_bar, say
from palate.cli.site import JsonOption, settings_of
from palate.cli.starting import starting
from palate.clock import SystemClock
from palate.console.pulse import Training, training_in
from palate.errors import BadInput, Unavailable
from palate.intake.datasets.dataset import imported, locate, store
from palate.intake.datasets.movielens_100k import DATASET
from palate.serving.environment import serving_environment
from palate.serving.launch import check_port
from palate.serving.supervisor import Role, Supervisor, site_roles
from palate.settings import FILE, Settings, SiteSettings
from palate.stores import open_sources
from palate.streaming.lock import only_site
from palate.template import template
from palate.testing.demo.run import check_demo

CheckOption = Annotated[
    bool, typer.Option("--check", help="Run it without a person, and hold it to its promises.")
]
CrowdOption = Annotated[
    bool,
    typer.Option(
        "--crowd", help="Simulated people use the site too, over its API: a page now and then."
    ),
]
WORDS = SiteSettings(name="demo", noun="film", nouns="films", viewed="watched")
app = typer.Typer()

PAGES, DAY, ARRIVING = 0.5, 86_400, 10.0
"""The crowd: pages a second, seconds until it comes anew, and until it comes at first."""
LOOK, PATIENCE = 0.1, 120.0
"""Seconds between two looks at the site, and until we say that it does not come up."""


@app.command()
def main(
    site: Annotated[Path, typer.Option("--site", "-s", help="The demo site's folder.")] = Path(
        "demo-site"
    ),
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8700,
    check: CheckOption = False,  # noqa: FBT002  Typer's form
    crowd: CrowdOption = False,  # noqa: FBT002
    as_json: JsonOption = False,  # noqa: FBT002
) -> None:
    """Run a movie site on MovieLens-100K: import, serve, learn; Ctrl-C ends it, again resumes.

    With **--check** the same happens in a temporary folder: a visitor over HTTP tries what the demo
    promises, one JSON object says what it saw, and the exit code is 0 only if everything held.

    With **--crowd** people of the simulator, their tastes fitted to the ratings, look at Home and
    take what they like, so that trending and the reports have something to tell.

    Example: **palate demo --port 8700 --crowd**
    """
    if check:
        outcome = check_demo(
            lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True)
        )
        typer.echo(msgspec.json.format(msgspec.json.encode(outcome), indent=2))
        raise typer.Exit(0 if outcome.ok else 1)
    started = perf_counter()
    check_port("127.0.0.1", port)
    new = not (site / FILE).exists()
    settings = _site(site, port)
    with only_site(settings) if new else starting(settings):
        _bring_history(settings)
        roles = site_roles(settings)
        asyncio.run(
            Demo(settings, started, as_json, (*roles, crowd_of(settings)) if crowd else roles).run()
        )


def crowd_of(settings: Settings) -> Role:
    """Simulated people as one more process beside the site's: a client like any other."""
    url = address(settings.serving)
    asked = ["--url", url, "--site", str(settings.home.resolve()), "--models", "varied"]
    asked += ["--rate", str(PAGES), "--seconds", str(DAY)]
    command = (sys.executable, "-m", "palate.cli", "simulate", *asked)
    return Role("crowd", command, 15, serving_environment(), ARRIVING)


def _site(folder: Path, port: int) -> Settings:
    """The demo's site, made where it is not there yet."""
    if not (folder / FILE).exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE).write_text(template(WORDS), "utf-8")
        console.print(f"made {folder}")
    settings = settings_of(folder)
    serving = msgspec.structs.replace(settings.serving, host="127.0.0.1", port=port)
    return msgspec.structs.replace(settings, serving=serving)


def _bring_history(settings: Settings) -> None:
    """Fetch and import the ratings; what the site holds already is not imported again."""
    started = perf_counter()
    _check_empty(settings)
    if imported(DATASET, settings.home):
        say(f"looking whether all of {DATASET.name} is there")
    else:
        say(f"fetching {DATASET.name}: {DATASET.about}")
    folder = locate(DATASET, None, os.environ, Path.home())
    with open_sources(settings) as sources, progress_bar() as bar:
        stored = store(DATASET, folder, sources, SystemClock(), bar, until_now=True)
    what = f"{stored.events:,} events, {stored.items:,} films, {stored.users:,} people"
    new = stored.new_events
    done = f"imported {new:,} new events of {what}" if new else f"all is there already: {what}"
    say(f"{done} ({perf_counter() - started:.1f} s)")


def _check_empty(settings: Settings) -> None:
    with open_sources(settings) as sources:
        if sources.items.counts()[0] and not imported(DATASET, settings.home):
            raise BadInput(
                f"{settings.home} is a site with items of its own, and the demo would add films:"
                " name another folder with --site, or run yours with `palate up`"
            )


class Demo:
    """One run: the processes of the site, and what is said while they come up and learn."""

    def __init__(
        self,
        settings: Settings,
        started: float,
        as_json: bool,  # noqa: FBT001
        roles: Sequence[Role] = (),
    ) -> None:
        self._settings, self._started, self._as_json = settings, started, as_json
        self._roles = roles or site_roles(settings)
        self._url = f"http://127.0.0.1:{settings.serving.port}"
        self._stop = asyncio.Event()
        self._learnt = False

    async def run(self) -> None:
        """Until Ctrl-C."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop.set)
        async with Supervisor(self._roles, _say) as running:
            telling = asyncio.create_task(self._tell(running))
            await self._stop.wait()
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
            console.print("ending …")
        console.print("everything has ended; run it again to go on where it stopped")

    async def _tell(self, running: Supervisor) -> None:
        async with httpx.AsyncClient(base_url=self._url, trust_env=False, timeout=5.0) as client:
            with _bar() as progress:
                waiting = progress.add_task("waiting for the first page", total=None)
                release = await self._first_slate(client)
                running.opened()
                progress.remove_task(waiting)
                self._announce(release)
                await self._learning(client, progress, release)

    async def _first_slate(self, client: httpx.AsyncClient) -> str:
        """Wait until there is something on the page; returns the release that serves it."""
        while perf_counter() - self._started < PATIENCE:
            slate = await _slate(client)
            if slate is not None and slate.items:
                return slate.release
            await asyncio.sleep(LOOK)
        raise Unavailable(
            f"{self._url} shows nothing after {PATIENCE:.0f} s; the lines above say why"
        )

    def _announce(self, release: str) -> None:
        seconds = perf_counter() - self._started
        counted = "from counts, learning goes on" if release == "none" else f"by release {release}"
        console.print(
            f"\n  [bold green]{self._url}[/]   first page after {seconds:.1f} s, {counted}"
        )
        console.print("  Ctrl-C ends it.\n", style="dim")
        self._fact({"url": self._url, "first_slate_s": round(seconds, 2), "release": release})

    async def _learning(self, client: httpx.AsyncClient, progress: Progress, before: str) -> None:
        """A bar while it trains; a line when a release is promoted, or is not."""
        bar = progress.add_task("learning", total=1.0, visible=False)
        ended = None
        while True:
            training = training_in(self._settings.home)
            if training is not None:
                self._show(progress, bar, training)
                ended = self._ended(training, ended)
            slate = await _slate(client)
            if slate is not None and slate.release != before:
                before = slate.release
                seconds = perf_counter() - self._started
                console.print(
                    f"[bold green]release {before} is live[/], {seconds:.0f} s after the start:"
                    " the open page upgrades itself"
                )
                self._fact({"release": before, "release_s": round(seconds, 2)})
            await asyncio.sleep(0.5)

    def _show(self, progress: Progress, bar: TaskID, training: Training) -> None:
        progress.update(
            bar,
            completed=training.fraction,
            description=training.text or training.phase,
            visible=training.runs,
        )

    def _ended(self, training: Training, told: str | None) -> str | None:
        """Say once how a training ended that was seen to run; without a bar it says so itself."""
        self._learnt |= training.runs
        if training.runs or not self._learnt or not training.text or training.text == told:
            return told
        if console.is_terminal:
            style = "yellow" if training.phase == "failed" else ""
            console.print(training.text, style=style, markup=False)
        return training.text

    def _fact(self, fact: dict[str, object]) -> None:
        if self._as_json:
            typer.echo(msgspec.json.encode(fact))


class Seen(msgspec.Struct):
    """Of a slate, what the demo looks at."""

    release: str
    items: list[msgspec.Raw]


async def _slate(client: httpx.AsyncClient) -> Seen | None:
    """A page for nobody in particular: no impression is logged for it."""
    try:
        answer = await client.get("/v1/recommendations/home", params={"limit": 5})
    except httpx.HTTPError:
        return None
    return msgspec.json.decode(answer.content, type=Seen) if answer.is_success else None


def _say(role: str, line: str) -> None:
    """What the processes say, unless the bar says it too."""
    if (
        line.strip()
        and not line.startswith("INFO")
        and not (role == "train" and console.is_terminal)
    ):
        console.print(
            f"{role:>6} │ {line}", markup=False, highlight=False, style="dim", soft_wrap=True
        )


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=console
    )
