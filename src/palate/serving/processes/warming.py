"""Nobody pays for first calls: pages are touched and requests replayed before a release answers.

What is loaded beside requests is loaded gently: by one worker of a site at a time, without the
interpreter and at low priority where that is possible (checksums, pages), and in small steps
that let requests go first.
"""

import asyncio
import ctypes
import fcntl
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from time import perf_counter, sleep
from typing import NamedTuple, TypeAlias

from palate.catalog.user import session_key, user_key
from palate.clock import Clock
from palate.features.online.claimed import whose
from palate.features.record import UserState
from palate.funnel.budget import LATE, Plan
from palate.funnel.engine import Funnel
from palate.funnel.types import Query
from palate.serving.processes.hanging import Hanging, in_time
from palate.stores import Stores

SIZE, SOMEBODY = 20, 3
"""Items of a page; visitors where nobody is known to have asked."""
SECONDS = 10.0
"""A surface whose generators take longer is not waited for: one that hangs must not keep a worker
from its work."""
BEYOND = 10.0
"""Seconds more until a surface is left behind that does not even say that it is late."""
PATIENCE, LOOK = 0.1, 0.002
"""Seconds that a step waits for requests under way, and between two looks."""
TURN = 30.0
"""Seconds until a worker loads though another one does: that one may have been stopped."""
NICE = 10
POPULATE_READ = 22
"""Of madvise(2): map these pages now, for reading. Linux 5.14; older ones refuse, no harm done."""
STEP = 8 << 20
log = logging.getLogger("palate.serving")


class Asked(NamedTuple):
    """Who asked for what, of late."""

    surface: str
    visitor: str
    """`user:…` or `session:…`, as in traces."""


Busy: TypeAlias = Callable[[], bool]
"""Whether requests are under way."""
Funnels: TypeAlias = Mapping[str, Funnel]


def warm(
    stores: Stores,
    funnels: Funnels,
    clock: Clock,
    asked: Sequence[Asked],
    busy: Busy,
    hanging: Hanging,
) -> int:
    """Run each surface for somebody new, and what was asked of late again; blocks.

    Where nothing was asked, each surface is run for a few users. Returns how many were known.
    A surface that does not come back is left behind in its thread, and added to `hanging`.
    """
    known = list(_known(stores, asked)) or list(_somebody(stores, funnels))
    slow = set[str]()
    for surface, visitor in [*((name, UserState.nobody()) for name in funnels), *known]:
        if surface in slow or surface in hanging or surface not in funnels:
            continue
        give_way(busy)
        query = Query(surface, visitor, SIZE, clock.now(), clock.draw())
        try:
            back = partial(hanging.back, surface)
            late = in_time(partial(_late, funnels[surface], query), SECONDS + BEYOND, back)
        except TimeoutError:
            hanging.note(surface)
            continue
        if late:
            slow.add(surface)
            log.warning("warming up %s was given up: %s took too long", surface, late[0])
    return len(known)


def _late(funnel: Funnel, query: Query) -> list[str]:
    """Answer, on a loop of its own; the parts that were not waited for."""
    answer = asyncio.run(funnel.answer(query, Plan(ends=perf_counter() + SECONDS)))
    return [name for name, why in answer.trace.skipped.items() if why == LATE]


def _known(stores: Stores, asked: Sequence[Asked]) -> Iterator[tuple[str, UserState]]:
    for surface, visitor in asked:
        kind, _, name = visitor.partition(":")
        key = user_key(name) if kind == "user" else session_key(name)
        key, raw = whose(stores.online, key if name else 0)
        if raw is not None:
            yield surface, UserState.unpack(key, raw)


def _somebody(stores: Stores, funnels: Funnels) -> Iterator[tuple[str, UserState]]:
    for key, raw in islice(stores.online.scan("users"), SOMEBODY):
        yield from ((surface, UserState.unpack(key, raw)) for surface in funnels)


def give_way(busy: Busy) -> None:
    """Let requests go first, for a moment; blocks."""
    until = perf_counter() + PATIENCE
    while busy() and perf_counter() < until:
        sleep(LOOK)


def gently(work: Callable[[], object]) -> None:
    """Do it in a thread of low priority, and wait; what it raises is raised here.

    For work that lets go of the interpreter: else it would be held by a thread that nobody runs.
    """
    raised: list[BaseException] = []

    def run() -> None:
        try:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
            work()
        except BaseException as error:  # noqa: BLE001  it is raised where it was asked for
            raised.append(error)

    thread = threading.Thread(target=run, name="gently", daemon=True)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]


@contextmanager
def in_turn(folder: Path) -> Iterator[None]:
    """One process after the other, by a lock on a folder; whoever waits too long goes ahead."""
    handle, until = os.open(folder, os.O_RDONLY), perf_counter() + TURN
    try:
        while perf_counter() < until:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                sleep(10 * LOOK)
        yield
    finally:
        os.close(handle)


def touch(folders: Sequence[Path], most: int) -> int:
    """Have the pages that this process maps of files in these folders at hand; blocks.

    At most so many bytes. Returns how many there were. Linux only; elsewhere a no-op.
    """
    try:
        maps = Path("/proc/self/maps").read_text("utf-8", "replace").splitlines()
    except OSError:
        return 0
    advise = ctypes.CDLL(None, use_errno=True).madvise  # a call that lets go of the interpreter
    advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    touched = 0
    for start, end in _ranges(maps, folders):
        for at in range(start, min(end, start + most - touched), STEP):
            size = min(STEP, end - at)
            if advise(at, size, POPULATE_READ):
                break  # the file became shorter, or the kernel is older
            touched += size
    return touched


def _ranges(maps: Sequence[str], folders: Sequence[Path]) -> Iterator[tuple[int, int]]:
    below = tuple(f"{folder.resolve()}/" for folder in folders)
    for line in maps:
        place, _, rest = line.partition(" ")
        path = rest.partition("/")
        if f"/{path[2]}".startswith(below):
            start, end = (int(each, 16) for each in place.split("-"))
            yield start, end
