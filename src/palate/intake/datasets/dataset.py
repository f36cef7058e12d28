"""What a data set is: files in a folder, read strictly, stored like any import."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from palate.catalog.item import Item
from palate.catalog.user import User
from palate.clock import Clock
from palate.errors import BadInput
from palate.intake.importing import ENTITIES, Progress, append_in_order
from palate.intake.profiles import store_users
from palate.intake.tables import Table
from palate.intake.time_order import TimeOrder
from palate.stores import Sources

WEEK = 7 * 86_400.0
MEMORY = "data.json"
"""In the site's folder: by how many seconds each data set was moved, decided once."""


@dataclass(frozen=True, slots=True)
class Content:
    """A data set in memory; its events wait in time order."""

    items: list[Item]
    users: Callable[[int], list[User]]
    """Users by the data's last year (their birth years hang on it)."""
    events: TimeOrder


Read: TypeAlias = Callable[[Path, Progress], Content]


@dataclass(frozen=True, slots=True)
class Dataset:
    """A public data set."""

    name: str
    about: str
    folder: str
    """Its usual folder name below $PALATE_DATA."""
    files: tuple[str, ...]
    read: Read
    fetch: Callable[[Path], Path] | None = None
    """Gets the files into a cache folder; None where they cannot be downloaded."""


class Stored(msgspec.Struct, frozen=True):
    """What `palate data` did."""

    dataset: str
    items: int
    users: int
    events: int
    new_items: int
    new_users: int
    new_events: int
    moved_seconds: float
    """By how much all event times were moved."""


def locate(
    dataset: Dataset, given: Path | None, environment: Mapping[str, str], home: Path
) -> Path:
    """The folder with the data set's files: `given`, else $PALATE_DATA, else fetched."""
    if given is not None:
        return _folder(dataset, given) or _refuse(dataset, f"{given} must hold the files")
    named = environment.get("PALATE_DATA")
    found = _folder(dataset, Path(named)) if named else None
    if found is not None:
        return found
    if dataset.fetch is None:
        return _refuse(dataset, "it cannot be downloaded; name with --from the folder with")
    return dataset.fetch(Path(environment.get("PALATE_CACHE") or home / ".cache" / "palate"))


def _folder(dataset: Dataset, given: Path) -> Path | None:
    for folder in (given, given / dataset.folder):
        if all((folder / name).is_file() for name in dataset.files):
            return folder
    return None


def _refuse(dataset: Dataset, why: str) -> Path:
    raise BadInput(f"{dataset.name}: {why} {', '.join(dataset.files)}")


def store(
    dataset: Dataset,
    folder: Path,
    sources: Sources,
    clock: Clock,
    progress: Progress,
    *,
    until_now: bool = False,
) -> Stored:
    """Read all of it, then store items, users and events; doing it again adds nothing.

    With `until_now` all event times are moved by the same whole number of weeks, so that the
    newest event lies within the last seven days. The number is remembered in the site's folder.
    """
    content = dataset.read(folder, progress)
    wanted = (clock.now() - content.events.newest) // WEEK * WEEK if until_now else 0.0
    moved = _moved(dataset, sources.settings.home, wanted)
    oldest, newest = content.events.oldest + moved, content.events.newest + moved
    users = content.users(1970 + int(newest / 31_556_952))
    features = sources.settings.features
    new_items = sum(sources.items.put(part) for part in _parts(content.items))
    new_users = sum(
        store_users(part, sources.users, sources.log, features, received=clock.now(), time=oldest)
        for part in _parts(users)
    )
    new_events = append_in_order(content.events, sources, clock, progress, shift=moved)
    sizes = len(content.items), len(users), content.events.count
    return Stored(dataset.name, *sizes, new_items, new_users, new_events, moved)


def imported(dataset: Dataset, home: Path) -> bool:
    """Whether the site in `home` was given the data set before, if only in part."""
    file = home / MEMORY
    return file.is_file() and dataset.name in msgspec.json.decode(file.read_bytes())


def _parts(entities: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(entities), ENTITIES):
        yield entities[start : start + ENTITIES]


def _moved(dataset: Dataset, home: Path, wanted: float) -> float:
    """The number of seconds decided when the site first took this data set."""
    file = home / MEMORY
    held = msgspec.json.decode(file.read_bytes(), type=dict[str, float]) if file.exists() else {}
    if dataset.name not in held:
        held[dataset.name] = wanted
        draft = file.with_suffix(".new")
        draft.write_bytes(msgspec.json.encode(held))
        draft.replace(file)
    return held[dataset.name]


def rows_of(table: Table, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line, values); BadInput where a column is missing, a row is bad, or the file is cut."""
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise BadInput(
            f"{table.path}: no column {', '.join(missing)}; it has: {', '.join(table.columns)}"
        )
    if table.text and not _ends_whole(table.path):
        raise BadInput(f"{table.path}: the last line has no end; the file is cut short")
    for row in table.read():
        if row.problem:
            raise BadInput(f"{table.path}: line {row.line}: {row.problem}")
        yield row.line, row.values


def once(table: Table, line: int, name: str, met: dict[str, int]) -> None:
    """BadInput where an id was met before."""
    if met.setdefault(name, line) != line:
        raise BadInput(f"{table.path}: line {line}: id {name!r} was on line {met[name]} already")


def _ends_whole(path: Path) -> bool:
    if path.suffix == ".gz":
        return True  # a cut gzip file is refused before it comes here
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1) == b"\n"
