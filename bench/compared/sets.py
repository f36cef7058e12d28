"""The data sets as sites of ours, each made once by the importers that everybody uses."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from palate.clock import FixedClock
from palate.evaluation.split import Protocol
from palate.intake.datasets import found
from palate.intake.datasets.dataset import store
from palate.intake.histories import read_histories
from palate.intake.rejects import Rejects
from palate.intake.stepping import store_histories
from palate.settings import Settings
from palate.stores import Sources, Stores, close, open_sources, open_stores

DAY0 = 1_700_000_000.0
"""When plain files are imported: always the same, so that made-up times are."""


@dataclass(frozen=True, slots=True)
class DataSet:
    """Files below $PALATE_DATA, and the protocols that make sense on them."""

    name: str
    folder: str
    protocols: tuple[Protocol, ...]
    plain: str = ""
    """A file of histories: ids and nothing else; "" imports the whole set with its contents."""
    published: str = ""
    """The set's name in `palate data`."""
    note: str = ""


SETS = {
    each.name: each
    for each in (
        DataSet("beauty", "amazon-beauty", ("loo",), plain="Beauty.txt", note="ids only"),
        DataSet(
            "beauty-content", "amazon-beauty", ("loo",), published="amazon-beauty",
            note="with attributes and words of titles",
        ),
        DataSet("ml-1m-ids", "ml-1m", ("loo",), plain="ml-1m_sas.txt.gz", note="ids only"),
        DataSet(
            "ml-1m", "ml-1m", ("time",), published="movielens-1m", note="times interpolated"
        ),
        DataSet("ml-100k", "ml-100k", ("time", "loo"), published="movielens-100k"),
        DataSet(
            "ml-latest-small", "ml-latest-small", ("time", "loo"),
            published="movielens-latest-small",
        ),
    )
}  # fmt: skip


def files(default: Path) -> Path | None:
    """Where the data sets are: $PALATE_DATA, else `default`; None where there is no such folder."""
    named = Path(os.environ.get("PALATE_DATA") or default)
    return named if named.is_dir() else None


def there(data: DataSet, source: Path) -> bool:
    """True where the set's folder is below `source`."""
    return (source / data.folder).is_dir()


@contextmanager
def site(data: DataSet, source: Path, work: Path) -> Iterator[Stores]:
    """The set as a site below `work`; imported the first time."""
    home = work / data.name
    done = home / "imported"
    settings = Settings(home=home)
    if not done.exists():
        home.mkdir(parents=True, exist_ok=True)
        with open_sources(settings) as to:
            _import(data, source / data.folder, to)
        done.touch()
    stores = open_stores(settings)
    try:
        yield stores
    finally:
        close(stores)


def _import(data: DataSet, folder: Path, to: Sources) -> None:
    clock = FixedClock(DAY0)
    if not data.plain:
        store(found()[data.published], folder, to, clock, _silent)
        return
    with Rejects(None) as none:
        told = read_histories(folder / data.plain, (), none, encoding="utf-8")
    store_histories(told, "view", to, clock, _silent)


def with_training(settings: Settings, **training: object) -> Settings:
    """The same settings with other ``[training]`` numbers."""
    told = msgspec.to_builtins(settings.training) | training
    changed = msgspec.convert(told, type(settings.training), strict=False)
    return msgspec.structs.replace(settings, training=changed)


def _silent(_doing: str, _done: int, _total: int) -> None:
    """Nobody watches."""
