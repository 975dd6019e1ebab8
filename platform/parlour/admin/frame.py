"""What all pages share: templates, layout, navigation, language, files."""

import re
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from http import HTTPStatus
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, FunctionLoader, StrictUndefined, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from parlour.admin.forms import csrf_token
from parlour.admin.guard import Operator
from parlour.admin.navigation import NAVIGATION
from parlour.admin.texts import FALLBACK, TEXTS
from parlour.admin.texts.words import bot, place, word

STATIC_PATH: Final = "/admin/static"
LANGUAGE_COOKIE: Final = "parlour_admin_language"
# Nothing inline, nothing from elsewhere, nowhere to send a form but here.
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_TYPES: Final = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_ROOT: Final = files("parlour.admin")
_LOCAL: Final = re.compile(r"/admin(?:[/?][^\\\s]*)?")


@dataclass(frozen=True, slots=True)
class Static:
    """A file of the pages. Its address changes with its content, so browsers may keep it for good."""

    content: bytes
    media_type: str
    address: str


def _static(name: str, content: bytes) -> Static:
    version = sha256(content).hexdigest()[:12]
    return Static(content, _TYPES[name.rpartition(".")[2]], f"{STATIC_PATH}/{name}?v={version}")


STATIC: Final = {
    entry.name: _static(entry.name, entry.read_bytes())
    for entry in (_ROOT / "static").iterdir()
    if entry.name.rpartition(".")[2] in _TYPES
}


def _moment(value: datetime | None) -> str:
    """A time for people; in UTC, as the page's foot says."""
    return f"{value:%Y-%m-%d %H:%M}" if value is not None else ""


def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(lambda name: (_ROOT / "templates" / name).read_text(encoding="utf-8")),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(moment=_moment, word=word, place=place)
    environment.globals["bot"] = bot
    environment.globals["static"] = {name: file.address for name, file in STATIC.items()}
    return environment


_TEMPLATES: Final = _environment()


def page(
    request: Request,
    operator: Operator | None,
    template: str,
    *,
    status: HTTPStatus | None = None,
    **values: Any,  # noqa: ANN401 (whatever the template shows)
) -> HTMLResponse:
    """The page made from a template; `operator` is None before the sign-in.

    Where it shows `problems`, keys of texts by the field that they stand beside, its status is 422 unless one is given.
    Templates find `t` (the texts in the reader's language), `language`, `operator`, `csrf` and `done`: what was done
    by the form before, a key of the texts that stands in the address.
    """
    language = language_of(request)
    texts = TEXTS[language]
    shown = _TEMPLATES.get_template(template).render(
        t=texts,
        language=language,
        operator=operator,
        csrf=csrf_token(request, operator) if operator is not None else "",
        navigation=[entry for entry in NAVIGATION if operator is not None and operator.may(entry.right)],
        path=request.url.path,
        here=request.url.path + (f"?{request.url.query}" if request.url.query else ""),
        done=texts.get(f"done_{request.query_params.get('done', '')}", ""),
        **values,
    )
    if status is None:
        status = HTTPStatus.UNPROCESSABLE_ENTITY if values.get("problems") else HTTPStatus.OK
    headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Cache-Control": "no-store"}
    return HTMLResponse(shown, status_code=status, headers=headers)


def go_to(path: str, *, done: str = "") -> RedirectResponse:
    """On to another page after a form; `done` says there what was done, by the key of a text."""
    joint = "&" if "?" in path else "?"
    address = f"{path}{joint}done={done}" if done else path
    return RedirectResponse(address, status_code=HTTPStatus.SEE_OTHER)


def local(path: str) -> str:
    """The path where it is one of these pages, else the first of them: no way to be sent elsewhere."""
    return path if _LOCAL.fullmatch(path) else "/admin"


def static_file(name: str) -> Response:
    """The file, to be kept by the browser; 404 for another."""
    found = STATIC.get(name)
    if found is None:
        return Response(status_code=HTTPStatus.NOT_FOUND)
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(found.content, media_type=found.media_type, headers=headers)


def language_of(request: Request) -> str:
    """The language that was chosen here, else the browser's wish, else English."""
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    if chosen in TEXTS:
        return chosen
    wishes = [wish.strip().split(";")[0].split("-")[0].lower() for wish in _by_weight(request)]
    return next((wish for wish in wishes if wish in TEXTS), FALLBACK)


def _by_weight(request: Request) -> list[str]:
    """The browser's languages, the most wished first; the sort keeps the order among equals."""
    wishes = request.headers.get("accept-language", "").split(",")
    return sorted(wishes, key=lambda wish: -_weight(wish))


def _weight(wish: str) -> float:
    try:
        return float(wish.partition(";q=")[2] or 1)
    except ValueError:
        return 0.0
