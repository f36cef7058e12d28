"""Everything that can go wrong on purpose, as one tree.

::

    PalateError
    ├── BadInput          what was sent is wrong; says where and how to mend it     422, exit 2
    ├── NotFound          no such item, user, trace, release or surface             404, exit 2
    ├── Conflict          it exists already, or somebody else is writing            409, exit 2
    ├── Unauthorised      no key, or a key of another site                          401, exit 2
    ├── Unavailable       a dependency is down; nothing acknowledged is lost        503, exit 1
    ├── CorruptRelease    a release is half-written, altered or of another version  409, exit 1
    ├── CorruptStore      a store on disk does not read back what was written       503, exit 1
    │   └── CorruptState  … and the log leads to it again: the stream worker's part 503, exit 1
    ├── GateRefused       a trained release is not better than what serves          200, exit 1
    └── MissingExtra      an optional package is needed: ``pip install palate[…]``  501, exit 2

Any other exception is a fault of ours: it is logged with its trace and answered with 500.
"""

from collections.abc import Sequence
from traceback import extract_tb
from typing import ClassVar, Self

import msgspec

SAID = 3
"""So many of several problems are said in words; all are in the list."""


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong: where (a JSON pointer, or ``file:line:field``), and what to do."""

    pointer: str
    problem: str


class PalateError(Exception):
    """The root. ``str(error)`` says what is wrong, where, and what to do."""

    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.problems = tuple(problems)


class BadInput(PalateError):
    """What was sent is wrong."""

    status = 422
    exit_code = 2
    title = "Invalid input"

    @classmethod
    def of(cls, problems: Sequence[Problem], before: str = "") -> Self:
        """All that is wrong as one error, which says the first few of it; at least one."""
        told = "; ".join(f"{each.pointer or '/'}: {each.problem}" for each in problems[:SAID])
        more = len(problems) - SAID
        return cls(f"{before}{told}{f'; and {more} more' if more > 0 else ''}", problems)


class NotFound(PalateError):
    """There is no such thing."""

    status = 404
    exit_code = 2
    title = "Not found"


class Conflict(PalateError):
    """It exists already, or somebody else is writing."""

    status = 409
    exit_code = 2
    title = "Conflict"


class Unauthorised(PalateError):
    """No key, or a key of another site."""

    status = 401
    exit_code = 2
    title = "Unauthorised"


class Unavailable(PalateError):
    """A dependency is down."""

    status = 503
    title = "Unavailable"


class CorruptRelease(PalateError):
    """A release is half-written, altered, or of another version."""

    status = 409
    title = "Corrupt release"


class CorruptStore(PalateError):
    """A store on disk does not read back what was written."""

    status = 503
    title = "Corrupt store"


class CorruptState(CorruptStore):
    """What was folded from the log does not read back; the stream worker folds it again."""


class GateRefused(PalateError):
    """A trained release is not better than what serves."""

    status = 200
    title = "Not promoted"


class MissingExtra(PalateError):
    """An optional package is needed."""

    status = 501
    exit_code = 2
    title = "Missing extra"


def told_of(error: Exception) -> str:
    """What broke in somebody else's code, and where: the deepest line of the file that was called.

    To be asked where the error was caught, in the function that called.
    """
    if isinstance(error, PalateError):
        return error.detail
    told = f"{type(error).__name__}: {' '.join(str(error).split())}"
    called = [at for at in extract_tb(error.__traceback__)[1:] if "importlib" not in at.filename]
    if isinstance(error, SyntaxError) or not called:
        return told  # Python names file and line by itself
    deepest = [at for at in called if at.filename == called[0].filename][-1]
    return f"{told} (line {deepest.lineno} of {deepest.filename})"
