"""Where a site listens: the options that `serve` and `up` share."""

from typing import Annotated

import msgspec
import typer

from palate.serving.launch import check_binding, check_port
from palate.serving.observing.installed import check
from palate.settings import ServingSettings

SETTINGS = "as palate.toml says"
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


def address(serving: ServingSettings) -> str:
    """The URL of a server that listens there; an IPv6 address stands in brackets."""
    host = f"[{serving.host}]" if ":" in serving.host else serving.host
    return f"http://{host}:{serving.port}"
