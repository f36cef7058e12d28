"""What every page stands on: the API, a clock, the site's folder, and how a page is printed."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Request, Response
from litestar.datastructures import Cookie
from litestar.enums import MediaType

from palate.clock import Clock
from palate.console.api import Api, Json
from palate.console.pulse import Pulse, pulse_of
from palate.console.visitor import COOKIE, YEAR, Visitor
from palate.errors import PalateError
from palate.settings import Settings, SiteSettings

HERE = Path(__file__).parent
STATIC = HERE / "static"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}
SUGGESTED_USERS = 200


@dataclass(frozen=True, slots=True)
class Window:
    """One site's storefront."""

    api: Api
    clock: Clock
    home: Path
    """The site's folder: where training says how far it is."""
    site: SiteSettings
    """What the site calls its things."""
    templates: Environment
    stamp: str
    """Changes with the static files, so that a browser never keeps an old one."""

    @classmethod
    def onto(cls, api: Api, clock: Clock, settings: Settings) -> "Window":
        """Build it with the package's own templates."""
        templates = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        stamp = _stamp()
        templates.globals |= {"site": settings.site, "stamp": stamp}
        return cls(api, clock, settings.home, settings.site, templates, stamp)

    async def pulse(self) -> Pulse:
        """How the engine is."""
        return await pulse_of(self.api, self.home)

    def fragment(
        self, template: str, facts: Mapping[str, object], status: int = 200
    ) -> Response[str]:
        """Print a part of a page."""
        text = self.templates.get_template(template).render(facts)
        return Response(text, media_type=MediaType.HTML, headers=HEADERS, status_code=status)

    async def page(
        self,
        template: str,
        request: Request[Any, Any, Any],
        visitor: Visitor,
        facts: Mapping[str, object],
        status: int = 200,
    ) -> Response[str]:
        """Print a whole page for `visitor`, and remember who it was for."""
        profile, users = await self._people(visitor)
        frame = {
            "visitor": visitor,
            "profile": profile,
            "users": users,
            "pulse": await self.pulse(),
            "here": here(request),
            "wrong": None,
        }
        response = self.fragment(template, frame | dict(facts), status)
        response.cookies.append(remembering(visitor))
        return response

    def problem(self, visitor: Visitor, facts: Mapping[str, object], status: int) -> Response[str]:
        """Print what went wrong, without asking the API anything: it may be what is wrong."""
        frame: Json = {"profile": "", "users": [], "pulse": None, "here": "/", "wrong": None}
        shown = frame | {"visitor": visitor, "status": status} | dict(facts)
        return self.fragment("problem.html", shown, status)

    async def _people(self, visitor: Visitor) -> tuple[str, list[Json]]:
        try:
            users = await self.api.users("", SUGGESTED_USERS)
            profile = describe(await self.api.user(visitor.user_id)) if visitor.user_id else ""
        except PalateError:
            return "", []
        return profile, [{"user_id": u["user_id"], "says": describe(u)} for u in users]


def describe(user: Json) -> str:
    """A profile in a few words.

    >>> describe({"birth_year": 1948, "attributes": {"occupation": "writer"}})
    'writer · born 1948'
    """
    attributes = user.get("attributes", {})
    age, born = attributes.get("age"), user.get("birth_year")
    words = [
        attributes.get("occupation"),
        f"{age} years" if age else f"born {born}" if born else "",
        attributes.get("gender"),
        user.get("country"),
    ]
    return " · ".join(str(word) for word in words if word)


def here(request: Request[Any, Any, Any]) -> str:
    """The path and query of the page that is printed."""
    query = str(request.url.query)
    return request.url.path + (f"?{query}" if query else "")


def remembering(visitor: Visitor) -> Cookie:
    """The cookie that names the visitor on the next request."""
    return Cookie(
        key=COOKIE, value=visitor.cookie(), max_age=YEAR, path="/", httponly=True, samesite="lax"
    )


def _stamp() -> str:
    whole = blake2b(digest_size=6)
    for file in sorted(STATIC.glob("*.*")):
        whole.update(file.read_bytes())
    return whole.hexdigest()
