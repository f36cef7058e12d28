"""The worker processes of a site: each at a socket that outlives it, replaced by a warm one.

Granian gives each worker a listening socket of its own, which balances connections; but what waits
at such a socket is lost with it, and it replaces a worker after a fixed time, warm or not. So here
the server makes the sockets and keeps them: a worker's successor accepts at the same one, and only
once it says that it is warm is the old one told to leave, and then to end.
"""

import logging
import os
import socket
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from granian._granian import SocketHolder
from granian.server.mp import MPServer, WorkerProcess

from palate.serving.processes.agreed import LEAVE, mark

STARTING = 120.0
"""Seconds that a new worker has to get warm; beyond them the old one stays."""
ENDING = 30.0
"""Seconds that a replaced worker has to finish what it has taken."""
LOOK = 0.02
log = logging.getLogger("palate.serving")


class Workers(MPServer):
    """Granian's server of processes, with sockets that stay and an orderly change of shifts.

    It overrides what Granian keeps for itself (three methods of 2.8), for there is no other door;
    `tests/e2e/test_rolling.py` restarts real workers under load.
    """

    def __init__(self, target: str, folder: Path, leaving: float, **granian: Any) -> None:
        super().__init__(target, **granian)
        self._folder, self._leaving = folder, leaving
        self._places: list[socket.socket] = []

    def _init_shared_socket(self) -> None:
        """Bind a socket for each worker; it listens from when its first worker is warm."""
        self._ssp = None
        for _ in range(self.workers):
            self._places.append(self._bound())

    def _bound(self) -> socket.socket:
        port = self._places[0].getsockname()[1] if self._places else self.bind_port
        [(family, kind, _, _, address), *_] = socket.getaddrinfo(
            self.bind_addr, port, type=socket.SOCK_STREAM
        )
        made = socket.socket(family, kind)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.bind(address)
        return made

    def _spawn_worker(  # type: ignore[override]  # as MPServer has it
        self, idx: int, target: Callable[..., None], callback_loader: Callable[..., Any]
    ) -> WorkerProcess:
        place = self._places[idx]
        holder: Any = SocketHolder  # its stub leaves out how one is made
        self._shd, self._sso = holder(place.fileno(), False, self.backlog), place  # noqa: FBT003
        others = [each.fileno() for each in self._places if each is not place]
        return super()._spawn_worker(idx, target, partial(_alone, callback_loader, others))

    def _drop_shared_socket(self) -> None:
        for each in self._places:
            each.close()

    def _respawn_workers(
        self,
        workers: Iterable[int],
        spawn_target: Callable[..., None],
        target_loader: Callable[..., Any],
        delay: float = 0.0,
    ) -> None:
        """Start those anew that died (no `delay`), or replace those that serve, one by one."""
        for idx in workers:
            if delay:
                self._replace(idx, spawn_target, target_loader)
                continue
            self._mark(self.wrks[idx]).unlink(missing_ok=True)
            if self.workers > 1:  # the others take the connections meanwhile
                before, self._places[idx] = self._places[idx], self._bound()
                before.close()
            super()._respawn_workers([idx], spawn_target, target_loader)
            if self._somebody_serves():
                # Granian ends all where one dies twice in 5.5 s; it is tried again instead.
                self.respawned_wrks.pop(idx, None)

    def _replace(
        self, idx: int, spawn_target: Callable[..., None], target_loader: Callable[..., Any]
    ) -> None:
        old = self.wrks[idx]
        new = self._spawn_worker(idx, spawn_target, target_loader)
        new.inner.start()
        if not self._warm(new):
            new.inner.kill()
            new.inner.join()
            if not self.interrupt_signal:
                log.error("worker %d is not replaced: the new one did not get ready", idx + 1)
            return
        new._watch()  # type: ignore[no-untyped-call]  # noqa: SLF001  whoever dies is replaced
        old.interrupt_by_parent = True
        self.interrupt_children[:] = [each for each in self.interrupt_children if each != idx]
        self.wrks[idx] = new
        self._dismiss(old)

    def _somebody_serves(self) -> bool:
        return any(each.inner.is_alive() and self._mark(each).exists() for each in self.wrks)

    def _warm(self, worker: WorkerProcess) -> bool:
        return self._wait(self._mark(worker).exists, STARTING, worker)

    def _dismiss(self, worker: WorkerProcess) -> None:
        """Let it send its clients on, finish what it has, and end."""
        if self._mark(worker).exists():  # else it would not understand
            os.kill(worker.inner.pid, LEAVE)
            self._wait(lambda: False, self._leaving, worker)
        worker.inner.terminate()
        ended = self._wait(lambda: not worker.inner.is_alive(), ENDING, worker)
        if self.interrupt_signal:  # all end now, and this one as the others
            return
        if not ended:
            worker.inner.kill()
        worker.inner.join()
        self._mark(worker).unlink(missing_ok=True)

    def _wait(self, done: Callable[[], bool], seconds: float, worker: WorkerProcess) -> bool:
        """Whether it is done in time; no longer than the worker lives and the server goes on."""
        until = monotonic() + seconds
        while monotonic() < until and worker.inner.is_alive() and not self.interrupt_signal:
            if done():
                return True
            sleep(LOOK)
        return done()

    def _mark(self, worker: WorkerProcess) -> Path:
        return mark(self._folder, worker.inner.pid)


def _alone(load: Callable[[], Any], others: Iterable[int]) -> Any:
    """In the worker: let go of the sockets of the others, or these would outlive their own."""
    for each in others:
        os.close(each)
    return load()
