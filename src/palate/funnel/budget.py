"""How long a request may wait for others."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Budget:
    """Time that parts on other machines get; what is late is left out and noted."""

    remote_seconds: float = 0.05
    """For all remote generators together; they run side by side."""


DEFAULT = Budget()
