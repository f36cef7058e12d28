"""What a release says of itself: where it comes from, how good it is, and each file's checksum."""

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from palate.disk import sync
from palate.errors import CorruptRelease

FILE = "manifest.json"
SEAL = "manifest.sha256"
"""The manifest's own SHA-256, as `sha256sum` writes it; releases of early builds have none."""
FORMAT = 4
"""Raised when an older build could no longer read what a newer one writes."""
READABLE = (1, 2, 3, 4)
"""1 has a user tower that reads all spans between events; 1 and 2 know hashed content only; 3 has
four bytes for each number of it."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate said of one part, in numbers and in a sentence."""

    part: str
    """`two_tower` or `ranker`."""
    shipped: bool
    sentence: str
    numbers: dict[str, float] = {}


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The contents of ``manifest.json``. Times are seconds since the epoch."""

    name: str = ""
    format: int = FORMAT
    created: float
    version: str
    """Of the palate that made it."""
    layout: str = ""
    """Hash over the ranker's features, names and meanings; "" without a ranker."""
    features: tuple[str, ...] = ()
    definitions: dict[str, str] = {}
    """Hash of what each of them meant; none in releases older than this field."""
    log_position: int = 0
    """The newest event that the towers have seen."""
    data: dict[str, float] = {}
    """Counts: events, users, items, rows …"""
    reconstructed: bool = True
    """Some of the ranker's rows were replayed from history, not logged when they were shown;
    `data` has how many lists of either (`lists_reconstructed`, `lists_shown`). False where there
    are none, and where all are of pages."""
    admitted: dict[str, float] = {}
    """By generator: what its word counts where the pool is filled; empty: sensible weights."""
    fusion: dict[str, float] = {}
    """Weight of each generator's reciprocal rank, and where ``visit/generator`` has its own."""
    spread: float = 1.0
    """Share of their strength at which the rules that spread a page act: in full before this
    field, see `reranking.spreading`."""
    metrics: dict[str, float] = {}
    verdicts: tuple[Verdict, ...] = ()
    notes: tuple[str, ...] = ()
    """What a reader of the metrics has to know."""
    seconds: dict[str, float] = {}
    """How long each phase took."""
    settings: dict[str, Any] = {}
    """``[content]``, ``[training]``, ``[ranking]``, ``[covisit]``, ``[retrieval]`` as they were."""
    files: dict[str, str] = {}
    """SHA-256 of every other file, by its path inside the release."""


def checksum(file: Path) -> str:
    """SHA-256 of a file, in hex."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def files_of(folder: Path) -> list[str]:
    """Every file below `folder` but the manifest and its seal, as relative paths."""
    found = (p for p in sorted(folder.rglob("*")) if p.is_file())
    ours = (folder / FILE, folder / SEAL)
    return [p.relative_to(folder).as_posix() for p in found if p not in ours]


def write(folder: Path, manifest: Manifest) -> None:
    """Add the checksums of what lies in `folder`, write manifest and seal, sync all to disk."""
    files = {name: checksum(folder / name) for name in files_of(folder)}
    full = msgspec.structs.replace(manifest, files=files)
    (folder / FILE).write_bytes(msgspec.json.format(msgspec.json.encode(full), indent=2))
    (folder / SEAL).write_text(f"{checksum(folder / FILE)}  {FILE}\n", "ascii")
    for path in [*folder.rglob("*"), folder]:
        sync(path)


def read(folder: Path) -> Manifest:
    """Read the manifest of a release, unverified. Raises CorruptRelease where it cannot be read."""
    file = folder / FILE
    try:
        return msgspec.json.decode(file.read_bytes(), type=Manifest)
    except FileNotFoundError as error:
        raise CorruptRelease(f"{file} is missing: the release is half-written") from error
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CorruptRelease(f"{file} cannot be read: {error}") from error


def verify(folder: Path, manifest: Manifest) -> None:
    """Compare every file with its checksum. Raises CorruptRelease naming the first that differs."""
    if manifest.format not in READABLE:
        raise CorruptRelease(
            f"{folder / FILE} has format {manifest.format}, this build (palate {manifest.version}"
            f" made it) reads formats {READABLE[0]} to {FORMAT}:"
            " train a new release with `palate train`"
        )
    seal = folder / SEAL
    if seal.is_file() and seal.read_bytes().partition(b" ")[0] != checksum(folder / FILE).encode():
        raise CorruptRelease(f"{folder / FILE} was altered after the release was made ({SEAL})")
    for name, expected in manifest.files.items():
        file = folder / name
        if not file.is_file():
            raise CorruptRelease(f"{file} is missing: the release is half-written")
        if checksum(file) != expected:
            raise CorruptRelease(f"{file} was altered after the release was made (SHA-256 differs)")
