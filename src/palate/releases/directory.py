"""Releases as folders on a disk: made aside, renamed into place, promoted by one atomic write."""

import os
import secrets
import shutil
import time
from pathlib import Path

import msgspec

from palate.disk import sync
from palate.errors import CorruptRelease, NotFound
from palate.releases.manifest import Manifest, read, verify, write
from palate.releases.release import Release

CURRENT = "current"
STAGING = ".staging-"


class Pointer(msgspec.Struct, frozen=True):
    """The file ``current``: what is live, and what was live before it, newest last."""

    name: str | None = None
    before: tuple[str, ...] = ()


class ReleaseDirectory:
    """Every release of a site. Any number of readers; writers hold the training lock.

    A release is immutable: it is written into a staging folder on the same disk, synced, and
    renamed. `current` is one small file that is replaced atomically, so a reader sees the old
    name or the new one, never neither.
    """

    def __init__(self, path: Path, keep: int = 10) -> None:
        self._path = path
        self._keep = keep
        self._seen: tuple[int, int] = (0, 0)
        self._pointer = Pointer()

    def names(self) -> list[str]:
        """All releases, oldest first."""
        if not self._path.is_dir():
            return []
        return sorted(p.name for p in self._path.iterdir() if p.is_dir() and p.name[0] != ".")

    def current(self) -> str | None:
        """Name the live release; None before the first. One `stat` while nothing changes."""
        return self._read().name

    @property
    def mark(self) -> tuple[int, int]:
        """Another one after every promotion, as of the last look at `current`."""
        return self._seen

    def history(self) -> tuple[str, ...]:
        """The live release and those that were live before it and are still held, newest first."""
        now, held = self._read(), set(self.names())
        earlier = [name for name in reversed(now.before) if name in held]
        return tuple(dict.fromkeys(name for name in (now.name, *earlier) if name))

    def folder(self, name: str) -> Path:
        """Where a release lies. Raises NotFound."""
        if name not in self.names():
            raise NotFound(f"there is no release {name!r} in {self._path}; `palate releases list`")
        return self._path / name

    def manifest(self, name: str) -> Manifest:
        """Read what a release says of itself, unverified."""
        return read(self.folder(name))

    def verify(self, name: str) -> None:
        """Compare each file with its checksum, which also has them read. Raises as `load` does."""
        folder = self.folder(name)
        verify(folder, read(folder))

    def load(self, name: str, *, ranked: bool = True, verified: bool = False) -> Release:
        """Verify and load. Raises NotFound, or CorruptRelease with a sentence naming the file."""
        return Release.load(self.folder(name), ranked=ranked, verified=verified)

    def promote(self, name: str) -> None:
        """Make a release the live one, once it loads. Raises NotFound or CorruptRelease."""
        self.load(name)
        now = self._read()
        before = (*now.before, now.name) if now.name and now.name != name else now.before
        # also where it is live already: a worker that refused it looks again
        self._write(Pointer(name, before[-100:]))

    def rollback(self) -> str:
        """Make the release that was live before the live one again; returns its name.

        Raises NotFound where there is none.
        """
        now = self._read()
        held = set(self.names())
        earlier = [name for name in now.before if name in held and name != now.name]
        if now.name is None:
            raise NotFound("no release is live yet: `palate train` makes one")
        if not earlier:
            raise NotFound(
                f"no release was live before {now.name!r}: there is nothing to go back to"
            )
        self.load(earlier[-1])
        cut = max(i for i, name in enumerate(now.before) if name == earlier[-1])
        self._write(Pointer(earlier[-1], now.before[:cut]))
        return earlier[-1]

    def begin(self) -> Path:
        """Make a new staging folder; what an earlier run left half-written is removed."""
        self._path.mkdir(parents=True, exist_ok=True)
        for left in self._path.glob(f"{STAGING}*"):
            shutil.rmtree(left, ignore_errors=True)
        staging = self._path / f"{STAGING}{secrets.token_hex(4)}"
        staging.mkdir()
        return staging

    def publish(self, staging: Path, manifest: Manifest) -> str:
        """Seal a staging folder and rename it to its final name, which is returned.

        The release is not live yet; see `promote`.
        """
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(manifest.created))
        name = f"{stamp}-{secrets.token_hex(2)}"
        write(staging, msgspec.structs.replace(manifest, name=name))
        staging.rename(self._path / name)
        sync(self._path)
        return name

    def discard(self, staging: Path) -> None:
        """Remove a staging folder that came to nothing."""
        shutil.rmtree(staging, ignore_errors=True)

    def prune(self) -> list[str]:
        """Remove the oldest releases beyond the `keep` newest.

        The live release and the one before it always stay. Returns what was removed.
        """
        now = self._read()
        safe = {now.name, *now.before[-1:]}
        old = [name for name in self.names()[: -self._keep] if name not in safe]
        for name in old:
            shutil.rmtree(self._path / name, ignore_errors=True)
        return old

    def _read(self) -> Pointer:
        try:
            stat = (self._path / CURRENT).stat()
        except FileNotFoundError:
            return Pointer()
        mark = (stat.st_ino, stat.st_mtime_ns)
        if mark != self._seen:
            raw = (self._path / CURRENT).read_bytes()
            try:
                self._pointer = msgspec.json.decode(raw, type=Pointer)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise CorruptRelease(f"{self._path / CURRENT} cannot be read: {error}") from error
            self._seen = mark
        return self._pointer

    def _write(self, pointer: Pointer) -> None:
        self._path.mkdir(parents=True, exist_ok=True)
        aside = self._path / f".{CURRENT}-{secrets.token_hex(4)}"
        aside.write_bytes(msgspec.json.encode(pointer))
        sync(aside)
        os.replace(aside, self._path / CURRENT)  # noqa: PTH105  says atomic louder than Path.replace
        sync(self._path)
