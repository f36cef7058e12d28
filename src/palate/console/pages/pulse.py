"""What an open page asks every two seconds, to see whether anything changed behind it."""

from litestar import get
from litestar.di import NamedDependency

from palate.console.pulse import Pulse
from palate.console.window import Window


@get("/pulse")
async def pulse(window: NamedDependency[Window]) -> Pulse:
    """The state of the engine, light enough to be asked often."""
    return await window.pulse()


ROUTES = [pulse]
