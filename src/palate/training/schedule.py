"""When a site learns: at once where there is no release, then every so often when there is news."""

from dataclasses import dataclass, field
from threading import Event as Signal

from palate.clock import Clock
from palate.errors import PalateError
from palate.events.protocol import EventLog
from palate.releases.directory import ReleaseDirectory
from palate.settings import Settings

LOOK_SECONDS = 0.5
"""How often the log is looked at."""
SETTLED = 2
"""Looks in a row that must find the log unchanged before the first training: imports end first."""
MORE = 1.2
"""A site that had too little is tried again when its log has grown by this factor."""


@dataclass(slots=True)
class Schedule:
    """Decides whether a training is due. Call `look` every few seconds."""

    settings: Settings
    log: EventLog
    clock: Clock
    _end: int = -1
    _still: int = 0
    _tried: int = 0
    """Events there were at the last attempt that came to nothing."""
    _failed_at: float = field(default=float("-inf"))

    def due(self) -> bool:
        """True where a training should begin now."""
        end = self.log.end()
        self._still = self._still + 1 if end == self._end else 0
        self._end = end
        made = self._newest()
        pause = self.settings.training.every_hours * 3600
        if made is not None:
            position, created = made
            latest = max(created, self._failed_at)
            return end > position and self.clock.now() - latest >= pause
        count = self.log.count()
        enough = count >= self.settings.training.min_events and count >= MORE * self._tried
        return enough and self._still >= SETTLED

    def came_to_nothing(self) -> None:
        """Tell that the attempt made no release, so that it is not repeated on the same data."""
        self._tried, self._failed_at = self.log.count(), self.clock.now()

    def _newest(self) -> tuple[int, float] | None:
        releases = ReleaseDirectory(self.settings.path(self.settings.stores.releases))
        for name in reversed(releases.names()):
            try:
                manifest = releases.manifest(name)
            except PalateError:
                continue
            return manifest.log_position, manifest.created
        return None


def wait(stop: Signal) -> bool:
    """Wait for the next look; True where it is time to end."""
    return stop.wait(LOOK_SECONDS)
