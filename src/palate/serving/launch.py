"""Starts the worker processes of a site: Granian, N workers behind one port, tied to this one."""

import ctypes
import ipaddress
import os
import socket
from collections.abc import Callable
from pathlib import Path

from granian.constants import Interfaces
from granian.log import LogLevels

from palate.errors import BadInput
from palate.serving.environment import PROMETHEUS, READY, SERVER, SITE, over, serving_environment
from palate.serving.processes.folder import shared_folder
from palate.serving.processes.workers import Workers
from palate.settings import ServingSettings

API_ONLY = "palate.serving.app:create_from_environment"
KILL_SECONDS = 4
BACKLOG = 1024
"""Connections that wait for a worker in the kernel."""
ARENA_MAX, ARENAS = -8, 2
"""What mallopt calls the number of heaps, and how many a worker has. By itself glibc gives each
thread one, up to eight a core, and each keeps some 3 MB of what was freed in it."""


def serve(
    home: Path,
    settings: ServingSettings,
    target: str = API_ONLY,
    opened: Callable[[int], object] = int,
) -> None:
    """Serve until SIGINT or SIGTERM; upon SIGHUP replace each worker by a warm one.

    `target` is ``module:factory`` of an ASGI application; `opened` is told the port once a worker
    answers there.

    Raises BadInput where the address may not or cannot be bound, or workers refuse to start.
    """
    check_binding(settings)
    check_port(settings.host, settings.port)
    few_heaps()
    with shared_folder() as folder:
        os.environ.update(over(os.environ, serving_environment()))
        os.environ[SITE] = str(home.resolve())
        os.environ[PROMETHEUS] = os.environ[READY] = folder
        os.environ[SERVER] = str(os.getpid())
        workers = Workers(
            target,
            Path(folder),
            settings.drain_seconds,
            opened,
            address=settings.host,
            port=settings.port,
            interface=Interfaces.ASGI,
            workers=settings.workers,
            factory=True,
            backlog=BACKLOG,
            backpressure=settings.most_connections,
            log_level=LogLevels.warning,
            respawn_failed_workers=True,
            workers_kill_timeout=KILL_SECONDS,
        )
        try:
            workers.serve()
        except SystemExit:  # Granian's end of all workers that died
            if not workers.refused:
                raise
        if workers.refused:
            raise BadInput(workers.refused)


def few_heaps() -> None:
    """Unless the operator says how many. For workers, which are forks, environment is too late."""
    if "MALLOC_ARENA_MAX" in os.environ or "arena_max" in os.environ.get("GLIBC_TUNABLES", ""):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # not on every system
    if mallopt is not None:
        mallopt(ARENA_MAX, ARENAS)


def check_binding(settings: ServingSettings) -> None:
    """Refuse to listen to the world without a key."""
    if settings.api_keys or is_loopback(settings.host):
        return
    raise BadInput(
        f"refusing to listen on {settings.host} without an API key: anybody could read and write; "
        'set api_keys = ["…"] under [serving] in palate.toml, or bind to 127.0.0.1'
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_port(host: str, port: int) -> None:
    """Raise BadInput where the address cannot be bound."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            what = getattr(error, "strerror", None) or str(error)
            raise BadInput(
                f"cannot listen on {host}:{port}: {what.lower()}; choose another with --port"
            ) from error
