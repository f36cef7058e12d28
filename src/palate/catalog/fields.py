"""Strict reading of outside documents: a reader per field, and a cure with every problem."""

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

import msgspec

from palate.errors import Problem
from palate.spelling import hint

Reader: TypeAlias = Callable[[Any], Any]
"""One value of a JSON document into ours; WrongValueError says what is wrong and what to do."""

ID_BYTES = 1024
WORD_BYTES = 64
BRIEF_BYTES = 16_384
"""Of the JSON of a context or of properties."""
EARLIEST, LATEST = -2_208_988_800.0, 7_258_118_400.0
"""1900 and 2200: a time outside is a mistake of units, not a time."""
MILLISECONDS = 1000.0
LARGEST = 1e300
WIDEST = 16_384
"""Numbers of one vector."""
WHOLE = 2**63
"""Whole numbers of free fields stay below this: 64 bits travel everywhere."""


class WrongValueError(ValueError):
    """A value that its field does not take; never leaves the decoders."""


class Fields:
    """The fields of one kind of document, with a reader each."""

    def __init__(self, what: str, readers: Mapping[str, Reader], required: tuple[str, ...]) -> None:
        self.what, self.readers, self.required = what, readers, required

    def read(self, document: object, pointer: str, problems: list[Problem]) -> dict[str, Any]:
        """The fields given, converted; what is wrong is added to `problems`."""
        if not isinstance(document, dict):
            problems.append(Problem(pointer, f"{self.what} is an object, not {named(document)}"))
            return {}
        read: dict[str, Any] = {}
        for name, value in document.items():
            reader = self.readers.get(name)
            if reader is None:
                problems.append(Problem(f"{pointer}/{escaped(name)}", self._unknown(str(name))))
                continue
            try:
                read[name] = reader(value)
            except WrongValueError as wrong:
                problems.append(Problem(f"{pointer}/{escaped(name)}", str(wrong)))
        problems.extend(
            Problem(f"{pointer}/{name}", f"{self.what} needs {name}")
            for name in self.required
            if name not in document
        )
        return read

    def _unknown(self, name: str) -> str:
        return f"unknown field {name!r} of {self.what}; {hint(name, self.readers)}"


def escaped(name: object) -> str:
    """A name as one step of a JSON pointer (RFC 6901)."""
    return str(name).replace("~", "~0").replace("/", "~1")


def named(value: object) -> str:
    """What a JSON value is, for people."""
    names = {
        type(None): "null", bool: "true or false", int: "a number", float: "a number",
        str: "a string", list: "a list", dict: "an object",
    }  # fmt: skip
    return names.get(type(value), type(value).__name__)


def identifier(value: object) -> str:
    """An id: 1 to 1024 bytes of UTF-8 without control characters."""
    if not isinstance(value, str):
        raise WrongValueError(f"an id is a string, not {named(value)}; put it in quotes")
    if value.isascii():
        if 0 < len(value) <= ID_BYTES and value.isprintable():
            return value
    elif not any(_control(c) for c in value) and len(_utf8(value)) <= ID_BYTES:
        return value
    if not value:
        raise WrongValueError("an id must not be empty")
    if len(_utf8(value)) > ID_BYTES:
        raise WrongValueError(
            f"an id has at most {ID_BYTES} bytes, this one has {len(_utf8(value))}"
        )
    raise WrongValueError("an id must not hold control characters")


def word(value: object) -> str:
    """A short code, such as a region: "" or what could be an id."""
    text_ = text(value)
    if text_ and (len(_utf8(text_)) > WORD_BYTES or any(_control(c) for c in text_)):
        raise WrongValueError(
            f"a code such as DE is wanted: at most {WORD_BYTES} bytes, no control characters"
        )
    return text_


def either(reader: Reader, empty: object) -> Reader:
    """A reader that takes null, and "" where it does not mean itself, for `empty`."""
    return lambda value: empty if value is None or value == "" else reader(value)


def text(value: object) -> str:
    """Any string; null is empty."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise WrongValueError(f"a string is wanted, not {named(value)}")
    _utf8(value)
    return value


def label(value: object) -> str:
    """The same, as short as an id."""
    text_ = text(value)
    if (size := len(_utf8(text_))) > ID_BYTES:
        raise WrongValueError(f"a name of at most {ID_BYTES} bytes is wanted, this has {size:,}")
    return text_


def texts(value: object) -> tuple[str, ...]:
    """A list of non-empty strings; repeated ones count once."""
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        raise WrongValueError(f'a list of strings is wanted, not {named(value)}; write ["…"]')
    if not all(isinstance(each, str) and each for each in value):
        raise WrongValueError("every entry of the list must be a non-empty string")
    return tuple(dict.fromkeys(text(each) for each in value))


def flag(value: object) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise WrongValueError(f"true or false is wanted, not {named(value)}")
    return value


def number(value: object) -> float:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise WrongValueError(f"a number is wanted, not {named(value)}")
    if not -LARGEST <= value <= LARGEST:
        raise WrongValueError("a finite number is wanted")
    return float(value)


def whole(least: int, most: int) -> Reader:
    """A reader of whole numbers within bounds."""

    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int | float) or value % 1:
            raise WrongValueError(f"a whole number is wanted, not {value!r}")
        if not least <= value <= most:
            raise WrongValueError(f"a number from {least} to {most} is wanted, not {value!r}")
        return int(value)

    return read


def moment(value: object) -> float:
    """Seconds since the epoch from RFC 3339, an ISO date, or epoch seconds or milliseconds.

    A number is read as seconds where that falls between 1900 and 2200, else as milliseconds. A
    time without a zone is UTC.
    """
    if isinstance(value, str):
        return _sane(_parsed(value), value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise WrongValueError(f'a time is wanted, not {named(value)}; write "2026-11-23T12:00:00Z"')
    if not EARLIEST <= value <= LATEST:
        return _sane(value / MILLISECONDS, value)
    return float(value)


def free(value: object) -> dict[str, Any]:
    """An object of strings, numbers, booleans, lists and objects of these, at most 8 deep."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise WrongValueError(f"an object is wanted, not {named(value)}")
    _plain(value, 8)
    return value


def brief(value: object) -> dict[str, Any]:
    """The same, of at most 16 KB as JSON: what is kept with every event and impression."""
    read = free(value)
    if read and (size := len(msgspec.json.encode(read))) > BRIEF_BYTES:
        raise WrongValueError(
            f"at most {BRIEF_BYTES:,} bytes of JSON are kept, this has {size:,}; send what tells "
            "one case from another, such as an id, and not what it stands for"
        )
    return read


def vector(value: object) -> tuple[float, ...]:
    """A list of finite numbers; null and an empty one say nothing."""
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        raise WrongValueError(f"a list of numbers is wanted, not {named(value)}")
    if len(value) > WIDEST:
        raise WrongValueError(f"{len(value)} numbers; a vector has at most {WIDEST}")
    return tuple(number(each) for each in value)


def rfc3339(seconds: float) -> str:
    """A time as we write it: RFC 3339, UTC, milliseconds where there are any."""
    at = datetime.fromtimestamp(round(seconds, 3), UTC)
    return at.isoformat(timespec="milliseconds" if at.microsecond else "seconds")[:-6] + "Z"


def _parsed(value: str) -> float:
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        raise WrongValueError(f'{value!r} is not a time; write "2026-11-23T12:00:00Z"') from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _sane(seconds: float, given: object) -> float:
    if not EARLIEST <= seconds <= LATEST:
        raise WrongValueError(f"{given!r} is not between the years 1900 and 2200")
    return seconds


def _plain(value: object, depth: int) -> None:
    if isinstance(value, str):
        _utf8(value)
    elif isinstance(value, float) and not math.isfinite(value):
        raise WrongValueError("numbers must be finite")
    elif isinstance(value, int) and not -WHOLE <= value < WHOLE:
        raise WrongValueError("whole numbers must fit 64 bits; send a string instead")
    elif isinstance(value, dict | list) and depth == 0:
        raise WrongValueError("objects and lists are nested too deep; 8 levels are allowed")
    elif isinstance(value, dict | list):
        for each in [*value, *value.values()] if isinstance(value, dict) else value:
            _plain(each, depth - 1)


def _utf8(value: str) -> bytes:
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise WrongValueError(
            "the text holds half a surrogate pair, which is not Unicode"
        ) from None


def _control(character: str) -> bool:
    code = ord(character)
    return code < 0x20 or 0x7F <= code < 0xA0  # noqa: PLR2004  the two control blocks
