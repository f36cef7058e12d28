"""Whether what the settings ask for is installed, before any worker is started."""

from importlib.util import find_spec

from palate.errors import MissingExtra
from palate.settings import ServingSettings

NEEDED = "opentelemetry.exporter.otlp.proto.http"


def check(settings: ServingSettings) -> None:
    """Raise MissingExtra where a collector is named and OpenTelemetry is not installed.

    The adapter itself is not imported: the server must not load metrics before its workers do.
    """
    if not settings.otel:
        return
    try:
        found = find_spec(NEEDED)
    except ModuleNotFoundError:
        found = None
    if found is None:
        raise MissingExtra(
            f"[serving] otel = {settings.otel!r} needs OpenTelemetry: pip install palate[otel],"
            " or take the setting away"
        )
