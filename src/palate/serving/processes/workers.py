"""The worker processes of a site: each at a socket that outlives it, replaced by a warm one.

Granian gives each worker a listening socket of its own, which balances connections; but what waits
at such a socket is lost with it, and it replaces a worker after a fixed time, warm or not. So here
the server makes the sockets and keeps them: a worker's successor accepts at the same one, and only
once it says that it is warm is the old one told to leave, and then to end.
"""

import logging
import os
import socket
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from granian._granian import SocketHolder
from granian.log import logger as granian_log
from granian.server.mp import MPServer, WorkerProcess

from palate.errors import BadInput
from palate.serving.processes.agreed import LEAVE, mark
from palate.serving.processes.refusing import refusal

STARTING = 120.0
"""Seconds that a new worker has to get warm; beyond them the old one stays."""
ENDING = 30.0
"""Seconds that a replaced worker has to finish what it has taken."""
LOOK, OPENING = 0.02, 0.1
AGAIN = 1.0
"""Seconds between two looks at workers, where nothing tells that one died."""
CRASHING = 5.5
"""Where nobody serves, a worker that was started anew and dies within so many seconds is the end:
whoever supervises the server starts it again, and more slowly each time."""
log = logging.getLogger("palate.serving")


class Workers(MPServer):
    """Granian's server of processes, with sockets that stay and an orderly change of shifts.

    It overrides what Granian keeps for itself (four methods of 2.8), for there is no other door;
    `tests/e2e/test_rolling.py` restarts real workers under load.
    """

    def __init__(
        self,
        target: str,
        folder: Path,
        leaving: float,
        opened: Callable[[int], object] = int,
        **granian: Any,
    ) -> None:
        super().__init__(target, **granian)
        self._folder, self._leaving, self._opened = folder, leaving, opened
        self._places: list[socket.socket] = []
        self._open, self._told = False, ""
        granian_log.addFilter(lambda _: not any(map(self._refusal, self.wrks)))
        self.refused = ""
        """What is wrong with the site, where that ended the server."""

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

    def _serve_loop(
        self, spawn_target: Callable[..., None], target_loader: Callable[..., Any]
    ) -> None:
        """Look after the workers until told to end, or until none can be kept alive."""
        self._made = partial(self._spawn_worker, target=spawn_target, callback_loader=target_loader)
        while not self.interrupt_signal:
            self.main_loop_interrupt.wait(AGAIN if self._open else OPENING)
            self.main_loop_interrupt.clear()  # before looking: who dies from here on sets it again
            self._announce()
            self.refused = self._wrong()
            if self.refused:
                return
            if self._hopeless():
                log.error("workers die as soon as they start: the server ends")
                return  # with `interrupt_children`, of which Granian makes an exit code
            self._look_after()
            self.interrupt_children.clear()
            if self.reload_signal:
                self.reload_signal = False
                self._replace_all()

    def _announce(self) -> None:
        if not self._open and self._somebody_serves():
            self._open = True
            self._opened(self._places[0].getsockname()[1])

    def _wrong(self) -> str:
        """What is wrong with the site, so that no worker can start, and none serves."""
        dead = [each for each in self.wrks if not each.inner.is_alive()]
        wrong = [each for each in dead if each.inner.exitcode == BadInput.exit_code]
        told = next(filter(None, map(self._refusal, wrong)), "")
        return "" if told and self._somebody_serves() else told

    def _refusal(self, worker: WorkerProcess) -> str:
        """What kept it from starting; "" where it did not say."""
        try:
            return refusal(self._folder, worker.inner.pid).read_text("utf-8")
        except OSError:
            return ""

    def _tell(self, worker: WorkerProcess) -> None:
        """Say what kept it from starting, unless the last one said just that."""
        told = self._refusal(worker)
        if told and told != self._told:
            log.error("worker %d does not start: %s", worker.idx + 1, told)
        self._told = told

    def _hopeless(self) -> bool:
        """Whether one died at once though it was started anew, and no other serves."""
        now = monotonic()
        return not self._somebody_serves() and any(
            now - self.respawned_wrks.get(each.idx, -CRASHING) < CRASHING
            for each in self.wrks
            if not each.inner.is_alive()
        )

    def _look_after(self, leaving_out: int = -1) -> None:
        """Start those anew that died."""
        for idx, worker in enumerate(self.wrks):
            if idx == leaving_out or worker.inner.is_alive():
                continue
            try:
                self._revive(idx)
            except Exception:  # no process or file to be had: the others must not be left alone
                log.exception("worker %d died and cannot be started; tried again", idx + 1)
                sleep(AGAIN)

    def _revive(self, idx: int) -> None:
        self._mark(self.wrks[idx]).unlink(missing_ok=True)
        self._tell(self.wrks[idx])
        if self.workers > 1:  # the others take the connections meanwhile
            before, self._places[idx] = self._places[idx], self._bound()
            before.close()
        self.wrks[idx] = self._made(idx)
        self.wrks[idx].start()  # type: ignore[no-untyped-call]
        self.respawned_wrks.pop(idx, None)
        if not self._somebody_serves():  # else it is tried again and again
            self.respawned_wrks[idx] = monotonic()

    def _replace_all(self) -> None:
        """Replace those that serve, one by one; where one is not, the others are."""
        for idx in range(self.workers):
            if self.interrupt_signal:
                return
            try:
                self._replace(idx)
            except Exception:
                log.exception("worker %d is not replaced", idx + 1)

    def _replace(self, idx: int) -> None:
        old, new = self.wrks[idx], self._made(idx)
        new.inner.start()
        if not self._warm(new, old):
            new.inner.kill()
            new.inner.join()
            self._tell(new)
            if not self.interrupt_signal and old.inner.is_alive():
                log.error("worker %d is not replaced: the new one did not get ready", idx + 1)
            return  # and an old one that died meanwhile is started anew at the next look
        new._watch()  # type: ignore[no-untyped-call]  # noqa: SLF001  whoever dies is replaced
        old.interrupt_by_parent = True
        self.wrks[idx] = new
        self._dismiss(old)

    def _somebody_serves(self) -> bool:
        return any(each.inner.is_alive() and self._mark(each).exists() for each in self.wrks)

    def _warm(self, new: WorkerProcess, old: WorkerProcess) -> bool:
        """Whether the new one gets ready in time.

        Where the old one dies first, its connections would wait for that: with others to take them
        the new one is given up for one at a socket of its own.
        """
        needed = (new, old) if self.workers > 1 else (new,)
        return self._wait(self._mark(new).exists, STARTING, needed, leaving_out=old.idx)

    def _dismiss(self, worker: WorkerProcess) -> None:
        """Let it send its clients on, finish what it has, and end."""
        if worker.inner.is_alive() and self._mark(worker).exists():  # else it cannot understand
            with suppress(ProcessLookupError):  # it died just now, and its mark is still there
                os.kill(worker.inner.pid, LEAVE)
            self._wait(lambda: False, self._leaving, (worker,))
        worker.inner.terminate()
        ended = self._wait(lambda: not worker.inner.is_alive(), ENDING, (worker,))
        if self.interrupt_signal:  # all end now, and this one as the others
            return
        if not ended:
            worker.inner.kill()
        worker.inner.join()
        self._mark(worker).unlink(missing_ok=True)

    def _wait(
        self,
        done: Callable[[], bool],
        seconds: float,
        needed: Sequence[WorkerProcess],
        leaving_out: int = -1,
    ) -> bool:
        """Whether it is done in time; no longer than who is needed lives and the server goes on.

        Whoever else dies meanwhile is started anew, but for one that is being replaced.
        """
        until = monotonic() + seconds
        while monotonic() < until and not self.interrupt_signal:
            if done():
                return True
            if not all(each.inner.is_alive() for each in needed):
                break
            self._look_after(leaving_out)
            sleep(LOOK)
        return done()

    def _mark(self, worker: WorkerProcess) -> Path:
        return mark(self._folder, worker.inner.pid)


def _alone(load: Callable[[], Any], others: Iterable[int]) -> Any:
    """In the worker: let go of the sockets of the others, or these would outlive their own."""
    for each in others:
        os.close(each)
    return load()
