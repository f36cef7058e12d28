"""From a file's cell to what the strict decoders want: forgiving in form, not in sense."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec

LISTS = frozenset({"categories", "tags", "regions", "follows", "likes", "items"})
IDS = frozenset(
    {
        "item_id",
        "user_id",
        "event_id",
        "session_id",
        "anonymous_id",
        "creator_id",
        "recommendation_id",
    }
)
NUMBERS = frozenset({"value", "position", "min_age", "birth_year"})
TIMES = frozenset({"time", "published_at", "expires_at"})
OBJECTS = frozenset({"attributes", "context", "properties"})
TRUE, FALSE = ("true", "1", "yes", "y", "t"), ("false", "0", "no", "n", "f")


def value_of(field: str, cell: Any) -> Any:
    """One cell as the JSON value that `field` wants; what cannot be converted is left as it is."""
    plain = _plain(cell)
    if field in LISTS:
        return _list(plain)
    if field in IDS:
        return _name(plain)
    if field == "hidden" and plain in (0, 1):
        return bool(plain)
    return _parsed(field, plain) if isinstance(plain, str) else plain


def is_empty(cell: Any) -> bool:
    """True for a cell that says nothing."""
    return cell is None or cell == "" or (isinstance(cell, float) and cell != cell)  # noqa: PLR0124  NaN


def _parsed(field: str, plain: str) -> Any:
    if field in NUMBERS or field in TIMES:
        return _number(plain)
    if field == "hidden":
        return _flag(plain)
    if field == "embedding":
        return [_number(each) for each in plain.split("|")]
    return _object(plain) if field in OBJECTS else plain


def _plain(cell: Any) -> Any:
    """Parquet's types as JSON's."""
    if isinstance(cell, datetime):
        return (cell if cell.tzinfo else cell.replace(tzinfo=UTC)).timestamp()
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, Decimal):
        return float(cell)
    return cell.strip() if isinstance(cell, str) else cell


def _list(plain: Any) -> Any:
    if isinstance(plain, str):
        return [part.strip() for part in plain.split("|") if part.strip()]
    if isinstance(plain, list):
        return [each if isinstance(each, dict) else _name(each) for each in plain]
    return plain


def _name(plain: Any) -> Any:
    if isinstance(plain, bool):
        return plain
    if isinstance(plain, float) and plain.is_integer():
        return str(int(plain))
    return str(plain) if isinstance(plain, int) else plain


def _number(plain: str) -> Any:
    try:
        number = float(plain)
    except ValueError:
        return plain
    return int(number) if number.is_integer() else number


def _flag(plain: str) -> Any:
    word = plain.lower()
    if word in TRUE:
        return True
    return False if word in FALSE else plain


def _object(plain: str) -> Any:
    try:
        return msgspec.json.decode(plain)
    except msgspec.DecodeError:
        return plain
