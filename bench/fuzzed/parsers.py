"""What stands at the edges: each parser takes any bytes, and refuses in words what it cannot read.

Not here: the Python files of a site's own surfaces, for to read one is to run it.
"""

import gzip
import io
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

import msgspec
import numpy as np
import polars as pl

from palate.catalog import decode
from palate.catalog.columns import ItemColumns
from palate.catalog.filterable import Chosen
from palate.catalog.item import Item
from palate.catalog.protocol import ItemChange
from palate.clock import FixedClock
from palate.errors import PalateError
from palate.events.decode import events
from palate.expressions.mask import Scope, mask
from palate.intake.histories import read_histories
from palate.intake.rejects import Rejects
from palate.intake.tables import open_table
from palate.releases import manifest
from palate.reranking.editorial.where import Where
from palate.rules.decode import rules
from palate.serving.bodies import Ask
from palate.serving.cursor import Cursor
from palate.serving.routes.asking import asked, check
from palate.serving.wording.wordings import FOLDER, HERE, Wordings
from palate.settings import FILE
from palate.settings_files import load

Parser: TypeAlias = Callable[[bytes], object]
NOW = 1_700_000_000.0
MOST = 1_000


@cache
def scratch() -> Path:
    """A folder in memory where there is one; it goes with the process."""
    shared = Path("/dev/shm")  # noqa: S108  made by mkdtemp, for this user alone
    return Path(tempfile.mkdtemp(prefix="palate-fuzz-", dir=shared if shared.is_dir() else None))


@cache
def columns() -> ItemColumns:
    """A small catalogue with every kind of field."""
    held = ItemColumns.in_memory()
    items = [
        Item(
            item_id=f"i{n}",
            title=f"T {n}",
            categories=(f"c{n % 3}", "drama"),
            tags=("hot", f"t{n}"),
            published_at=NOW - n,
            attributes={"year": 1990 + n, "hd": bool(n % 2), "studio": f"s{n}", "cast": ["a", "b"]},
        )
        for n in range(20)
    ]
    held.write([ItemChange(n + 1, n, item.item_id, item) for n, item in enumerate(items)])
    return held


def filter_(raw: bytes) -> object:
    """A condition on items, and which of twenty it lets pass."""
    where = Where.of(raw.decode("utf-8", "replace"), columns())
    rows, scope = np.arange(20, dtype=np.int32), Scope(NOW, {})
    return where.condition and mask(where.condition, Chosen(columns(), rows), scope, len(rows))


def settings(raw: bytes) -> object:
    """`palate.toml`."""
    return load(_file(FILE, raw).parent, {})


def wording(raw: bytes) -> object:
    """A language's templates, in a site's own folder."""
    (scratch() / FILE).write_bytes(b"")
    _file(f"{FOLDER}/de.toml", raw)
    return Wordings.of_site(scratch(), "de").of("de")


def rule_documents(raw: bytes) -> object:
    """Operators' rules, as `PUT /v1/rules` takes them."""
    return rules(decode.parsed(raw))


def event_batch(raw: bytes) -> object:
    """The body of `POST /v1/events`."""
    return events(raw, NOW, FixedClock(NOW), batch_key="k")


def question(raw: bytes) -> object:
    """The body of `POST /v1/recommendations`."""
    ask = asked(raw, Ask)
    check(ask, 100, "/")
    return ask


def cursor(raw: bytes) -> object:
    """What comes back from a page's `next`."""
    return Cursor.decode(raw.decode("utf-8", "replace"), "home|u1", MOST, 20)


def release(raw: bytes) -> object:
    """The manifest of a release."""
    return manifest.read(_file(f"release/{manifest.FILE}", raw).parent)


def table(ending: str) -> Parser:
    """A file to import, looked through and read to its end."""

    def read(raw: bytes) -> object:
        found = open_table(_file(f"table.{ending}", raw))
        return [row for row, _ in zip(found.read(), range(MOST), strict=False)]

    return read


def history(raw: bytes) -> object:
    """Who took what, in which order; the file may be gzipped."""
    rejects = Rejects(None)
    return read_histories(_file("taken.txt", raw), (), rejects, separator="", encoding="utf-8")


def _file(name: str, raw: bytes) -> Path:
    file = scratch() / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(raw)
    return file


PARSERS: dict[str, Parser] = {
    "filter": filter_,
    "csv": table("csv"),
    "jsonl": table("jsonl"),
    "parquet": table("parquet"),
    "history": history,
    "settings": settings,
    "wording": wording,
    "rules": rule_documents,
    "events": event_batch,
    "items": decode.items,
    "users": decode.users,
    "question": question,
    "cursor": cursor,
    "manifest": release,
}


def _parquet() -> bytes:
    out = io.BytesIO()
    pl.DataFrame({"item_id": ["a", "b"], "n": [1, None]}).write_parquet(out)
    return out.getvalue()


def _seeds() -> dict[str, tuple[bytes, ...]]:
    from_json = msgspec.json.encode
    event = {"kind": "view", "user_id": "u", "item_id": "i", "value": 0.5, "time": NOW}
    shown = {"kind": "impression", "session_id": "s", "items": [{"item_id": "i", "position": 1}]}
    item = {"item_id": "i", "title": "T", "categories": ["c"], "attributes": {"year": 1}}
    pin = {"id": "p", "kind": "pin", "items": ["i"], "slots": [1], "starts": "2026-01-01T00:00:00Z"}
    cap = {"id": "c", "kind": "at_most", "of": "categories", "cap": 2}
    owner = Cursor(3, np.array([1, 5, 9], np.int32), 2, np.array([9], np.int32))
    return {
        "filter": (
            b'year >= 2000 and "drama" in categories',
            b'not (hd or studio == "s1") and published_at > now - days(7)',
            b'studio in ["s1", "s2"] or has(year)',
        ),
        "csv": (b'item_id,title\na,One\nb,"T\nwo"\n', b"\xef\xbb\xbfuser;item\nu;1\n"),
        "jsonl": (b'{"item_id": "a", "n": 1}\n{"item_id": "b"}\n', gzip.compress(b'{"a":1}\n')),
        "parquet": (_parquet(),),
        "history": (
            b"u1 a b c\nu2 b\n",
            b"user,item,order\nu,a,1\nu,b,2\n",
            gzip.compress(b"u a\n"),
        ),
        "settings": (
            b'[site]\nname = "x"\n[serving]\nport = 1\napi_keys = ["k"]\n[covisit]\nwindow = 5\n',
            b'[rules.a]\nkind = "pin"\nitems = ["i"]\n[surfaces.home]\n"diversify.share" = 0.5\n',
        ),
        "wording": ((HERE / "de.toml").read_bytes(),),
        "rules": (from_json([pin, cap]), from_json([{"id": "b", "kind": "block", "where": "hd"}])),
        "events": (from_json({"events": [event, shown]}), from_json([event])),
        "items": (from_json({"items": [item]}), from_json([item | {"embedding": [0.1, 0.2]}])),
        "users": (from_json({"users": [{"user_id": "u", "birth_year": 1990, "likes": ["c"]}]}),),
        "question": (from_json({"user_id": "u", "context": {"a": 1}, "exclude": ["i"]}),),
        "cursor": (owner.encode("home|u1").encode(),),
        "manifest": (from_json(manifest.Manifest(created=NOW, version="0.1.0")),),
    }


SEEDS = MappingProxyType(_seeds())
"""Where the fuzzer begins, by parser."""


def tried(name: str, raw: bytes) -> None:
    """Let a parser have these bytes; whatever it raises but PalateError is a fault of ours."""
    with suppress(PalateError):
        PARSERS[name](raw)
