"""What a worker says: lines of text or of JSON, each with the recommendation it is about."""

import logging
from contextvars import ContextVar
from typing import Literal

import msgspec

ABOUT: ContextVar[str] = ContextVar("recommendation_id", default="")
"""The recommendation that is being made; "" outside of one. Each request has its own."""


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the JSON log."""

    time: float
    """Seconds since the epoch."""
    level: str
    logger: str
    message: str
    recommendation_id: str = ""
    fault: str = ""
    """The trace of an exception."""


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        fault = self.formatException(record.exc_info) if record.exc_info else ""
        line = Line(
            time=round(record.created, 3),
            level=record.levelname.lower(),
            logger=record.name,
            message=record.getMessage(),
            recommendation_id=ABOUT.get(),
            fault=fault,
        )
        return msgspec.json.encode(line).decode()


class TextLines(logging.Formatter):
    """For people: level, logger, message, and the recommendation in brackets."""

    def __init__(self) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's name
        told, about = super().formatMessage(record), ABOUT.get()
        return f"{told} [{about}]" if about else told


def speak(style: Literal["text", "json"]) -> None:
    """Set up what this process says on stderr."""
    heard = logging.StreamHandler()
    heard.setFormatter(JsonLines() if style == "json" else TextLines())
    logging.basicConfig(level=logging.INFO, handlers=[heard])
    logging.getLogger("httpx").setLevel(logging.WARNING)
