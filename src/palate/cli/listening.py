"""Where a site listens: the options that `serve` and `up` share."""

from contextlib import suppress
from typing import Annotated

import msgspec
import typer

from palate.serving.launch import check_binding, check_port
from palate.serving.observing.installed import check
from palate.settings import ServingSettings, Settings

SETTINGS = "as palate.toml says"
SERVED = "served.url"
"""In the site's folder, while it is served: where."""
HostOption = Annotated[str, typer.Option(help="Address to listen on.", show_default=SETTINGS)]
PortOption = Annotated[
    int | None, typer.Option(min=0, max=65_535, help="Port to listen on.", show_default=SETTINGS)
]
WorkersOption = Annotated[
    int | None, typer.Option(min=1, help="Worker processes that answer.", show_default=SETTINGS)
]
ApiOnlyOption = Annotated[bool, typer.Option("--api-only", help="Without the storefront.")]


def listening(
    serving: ServingSettings, host: str, port: int | None, workers: int | None
) -> ServingSettings:
    """The settings, with what the command line says over them.

    Raises BadInput where an address that others reach has no API key, or the port is taken, and
    MissingExtra where a setting needs one.
    """
    named = {"host": host or None, "port": port, "workers": workers}
    given = {name: value for name, value in named.items() if value is not None}
    wanted = msgspec.structs.replace(serving, **given)
    check_binding(wanted)
    check(wanted)
    check_port(wanted.host, wanted.port)
    return wanted


def found_address(settings: Settings) -> str:
    """Where the site is served just now, as its server left it; else where settings say."""
    try:
        return (settings.home / SERVED).read_text("utf-8").strip()
    except OSError:
        return address(settings.serving)


def leave_address(settings: Settings, url: str) -> None:
    """Let others find the server of a site, whatever its command line said of the port."""
    with suppress(OSError):  # a disk that cannot be written is no reason not to serve
        (settings.home / SERVED).write_text(f"{url}\n", "utf-8")


def take_address(settings: Settings) -> None:
    """Take it away again."""
    with suppress(OSError):
        (settings.home / SERVED).unlink()


def address(serving: ServingSettings) -> str:
    """The URL of a server that listens there; an IPv6 address stands in brackets."""
    host = f"[{serving.host}]" if ":" in serving.host else serving.host
    return f"http://{host}:{serving.port}"
