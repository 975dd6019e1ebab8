"""Markdown of a model as HTML that does nothing: no script, no style, no picture fetched from elsewhere."""

import re
from collections.abc import MutableMapping, Sequence
from functools import cache
from typing import Any, Final

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict
from markupsafe import Markup, escape
from pygments import highlight
from pygments.formatters.html import HtmlFormatter
from pygments.lexers import get_lexer_by_name

from parlour.channels.table_size import has_oversized_table

_TAGS: Final = {
    "a", "blockquote", "br", "code", "del", "div", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s",
    "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_ATTRIBUTES: Final = {
    "a": {"href", "title"},
    "code": {"class"},
    "div": {"class"},
    "ol": {"start"},
    # A code block that is wider than the screen is scrolled by keyboard too.
    "pre": {"tabindex"},
    "span": {"class"},
    "td": {"class"},
    "th": {"class"},
}
_SCHEMES: Final = {"http", "https", "mailto"}
# Each was tried with runs of every sign and found quick; of the hundreds of others, many take minutes for such a page.
_COLOURED: Final = frozenset(
    """
    python py python3 bash sh shell zsh json yaml yml sql javascript js typescript ts html css go golang rust rs
    c cpp c++ diff toml ini
    """.split()  # noqa: SIM905 (a list of two dozen quoted words is no better to read)
)
# Each is looked for up to the end of the line it stands in.
_MOST_ADDRESSES: Final = 200
# So much of one text is coloured, in all: it is rendered again for every draft and every page.
_COLOURED_CHARS: Final = 3_000
# Lexers that begin anew at every blank line look through all that follow.
_BLANKS: Final = re.compile(r"\s{100}")


def to_html(markdown: str) -> Markup:
    """`markdown` as clean HTML. Raw HTML in it is shown as text, pictures become links, headings start at level 3."""
    whole = _whole(markdown)
    tables = () if has_oversized_table(whole) else ("table",)
    links = ("linkify",) if whole.count("://") <= _MOST_ADDRESSES else ()
    return Markup(_clean(_parser("strikethrough", *tables, *links).render(whole)))  # noqa: S704 (cleaned one call before)


def plain_to_html(text: str) -> Markup:
    """What a person typed, shown as it is."""
    return escape(_whole(text))


def _whole(text: str) -> str:
    """`text` without lone surrogates, which no page can carry."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _clean(html: str) -> str:
    """The second lock: whatever the renderer let through, only these tags and attributes leave here."""
    return nh3.clean(
        html,
        tags=set(_TAGS),
        attributes={tag: set(names) for tag, names in _ATTRIBUTES.items()},
        url_schemes=set(_SCHEMES),
        attribute_filter=_absolute_only,
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )


def _absolute_only(_: str, attribute: str, value: str) -> str | None:
    """No link without a scheme: it would lead to a page of ours, or with `//` to anybody's."""
    is_absolute = value.lower().startswith(tuple(f"{scheme}:" for scheme in _SCHEMES))
    return value if attribute != "href" or is_absolute else None


class _Renderer(RendererHTML):
    """HTML as the page wants it."""

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]) -> str:
        """A link: to load a picture from elsewhere would tell that server who reads what."""
        source = escape(str(tokens[idx].attrs.get("src", "")))
        return f'<a href="{source}">{escape(tokens[idx].content) or source}</a>'

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]) -> str:
        """A code block with its language named above."""
        words = tokens[idx].info.split()
        return _code_block(tokens[idx].content, words[0] if words else "", env)

    def code_block(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]) -> str:
        """An indented code block."""
        return _code_block(tokens[idx].content, "", env)

    def heading_open(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]
    ) -> str:
        """A heading below the page's own two levels."""
        return f"<{_heading(tokens[idx])}>"

    def heading_close(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]
    ) -> str:
        """Its end."""
        return f"</{_heading(tokens[idx])}>\n"

    def table_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]) -> str:
        """A table in a box that scrolls sideways on a phone, instead of the page."""
        return '<div class="wide"><table>\n'

    def table_close(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]
    ) -> str:
        """Its end."""
        return "</table></div>\n"

    def th_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]) -> str:
        """A heading cell, aligned by class: the page allows no inline style."""
        return _cell(tokens[idx])

    td_open = th_open


def _heading(token: Token) -> str:
    return f"h{min(6, int(token.tag[1]) + 2)}"


def _cell(token: Token) -> str:
    alignment = str(token.attrs.get("style", "")).removeprefix("text-align:")
    return f'<{token.tag} class="{alignment}">' if alignment in {"center", "right"} else f"<{token.tag}>"


def _code_block(code: str, language: str, env: MutableMapping[str, Any]) -> str:
    head = f'<div class="code-head"><span>{escape(language)}</span></div>'
    return f'<div class="code">{head}<pre tabindex="0"><code>{_coloured(code, language, env)}</code></pre></div>\n'


def _coloured(code: str, language: str, env: MutableMapping[str, Any]) -> str:
    room = env.get("room", _COLOURED_CHARS) - len(code)
    if language.lower() not in _COLOURED or room < 0 or _BLANKS.search(code):
        return escape(code)
    env["room"] = room
    coloured: str = highlight(code, get_lexer_by_name(language, stripnl=False), _FORMATTER)
    return coloured


@cache
def _parser(*rules: str) -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True, "linkify": True}, renderer_cls=_Renderer)
    if parser.linkify is not None:
        # Only what says that it is an address: `parlour.py` is a file, not a site in Paraguay.
        parser.linkify.set({"fuzzy_link": False, "fuzzy_email": False, "fuzzy_ip": False})
    return parser.enable(rules)


_FORMATTER: Final = HtmlFormatter(nowrap=True, classprefix="hl-")
