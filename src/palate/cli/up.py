"""Run a whole site: serving, streaming and training, until Ctrl-C."""

import asyncio
import signal
from pathlib import Path

import msgspec
import typer

from palate.cli.listening import (
    ApiOnlyOption,
    HostOption,
    PortOption,
    WorkersOption,
    address,
    listening,
)
from palate.cli.output import console
from palate.cli.site import SiteOption, settings_of
from palate.cli.starting import starting
from palate.serving.supervisor import Supervisor, ready, site_roles
from palate.settings import Settings

READY_SECONDS = 120.0

app = typer.Typer()


@app.command()
def main(
    site: SiteOption = Path(),
    host: HostOption = "",
    port: PortOption = None,
    workers: WorkersOption = None,
    api_only: ApiOnlyOption = False,  # noqa: FBT002  Typer's form
) -> None:
    """Run a site's roles (serve, stream, attribute, train) until Ctrl-C; what dies is restarted.

    Example: **palate up --port 8700**
    """
    settings = settings_of(site)
    with starting(settings):
        serving = listening(settings.serving, host, port, workers)
        asyncio.run(_run(msgspec.structs.replace(settings, serving=serving), api_only=api_only))


async def _run(settings: Settings, *, api_only: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with Supervisor(site_roles(settings, api_only=api_only), _say) as running:
        announcing = asyncio.create_task(_announce(settings, running))
        await stop.wait()
        announcing.cancel()
        console.print("ending …")


async def _announce(settings: Settings, running: Supervisor) -> None:
    url = address(settings.serving)
    if await ready(settings.serving.host, settings.serving.port, READY_SECONDS):
        running.opened()
        console.print(f"{settings.site.name} is up: {url}", style="bold green")
    else:
        console.print(f"{url} does not answer yet; the lines above say why", style="bold red")


def _say(role: str, line: str) -> None:
    console.print(f"{role:>6} │ {line}", markup=False, highlight=False, soft_wrap=True)
