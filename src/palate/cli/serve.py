"""Answer requests over HTTP (serving only; `palate up` runs every role)."""

from pathlib import Path

import msgspec
import typer

from palate.cli.listening import (
    ApiOnlyOption,
    HostOption,
    PortOption,
    WorkersOption,
    address,
    leave_address,
    listening,
    take_address,
)
from palate.cli.output import say
from palate.cli.site import SiteOption, settings_of
from palate.serving.launch import API_ONLY, serve
from palate.settings import ServingSettings

CONSOLE = "palate.console.app:create"
STOREFRONT_OFF = (
    "the storefront is off: it acts in anybody's name, and this site has API keys; every path"
    " under /v1 wants one"
)

app = typer.Typer()


@app.command()
def main(
    site: SiteOption = Path(),
    host: HostOption = "",
    port: PortOption = None,
    workers: WorkersOption = None,
    api_only: ApiOnlyOption = False,  # noqa: FBT002  Typer's form
) -> None:
    """Answer requests over HTTP, until Ctrl-C.

    Example: **palate serve --port 8700 --workers 2**

    Without an API key (`api_keys` in palate.toml) only loopback addresses are allowed.
    """
    settings = settings_of(site)
    wanted = listening(settings.serving, host, port, workers)
    target, remark = front(wanted, api_only=api_only)

    def opened(port: int) -> None:
        where = address(msgspec.structs.replace(wanted, port=port))
        leave_address(settings, where)
        say(f"serving {settings.site.name} on {where}")
        if remark:
            say(remark)

    try:
        serve(settings.home, wanted, target, opened)
    finally:
        take_address(settings)


def front(serving: ServingSettings, *, api_only: bool) -> tuple[str, str]:
    """The application that is served, and what its operator has to know of it."""
    if api_only:
        return API_ONLY, ""
    return CONSOLE, STOREFRONT_OFF if serving.api_keys else ""
