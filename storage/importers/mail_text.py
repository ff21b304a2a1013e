"""The text of a mail -> what its sender wrote: without quotations, the lines that announce them, and signatures."""

from __future__ import annotations

import re
import warnings
from functools import cache

from bs4 import BeautifulSoup, MarkupResemblesLocatorWarning
from mailparser_reply.constants import MAIL_LANGUAGES
from mailparser_reply.parser import EmailMessage
from markdownify import MarkdownConverter

MAX_LENGTH, MAX_HTML = 100_000, 120_000
"""Characters of a mail's text and of its HTML that are looked at; what a person writes is shorter."""

_LONG_LINE = 400
_HIDDEN_LINE = re.compile("\ue000([0-9]+)\ue001")
_BLANK_LINES = re.compile(r"\n{3,}")
_DECLARATION = re.compile("<[!?][^>]*>?")
_NO_TAG = re.compile("<(?!/?[a-zA-Z][^<>]{0,2000}>)")
_QUOTED = ">"
HEADER_LINES = 4
"""Of somebody's mail that are looked at; three of them in a row are told from what a person writes."""
_ADDRESS = re.compile(r"[^\s<>()@]@[^\s<>()@]")
_BRACKETED = re.compile(r"[<(\[‹][^\s<>()@]+@[^\s<>()@]+[>)\]›]")
_TIME = re.compile(r"\d{1,2}[:.]\d{2}|\d{4}")
_HEADER = re.compile(r"[*_ ]{0,3}[^\W\d_][^:：\n<>@]{0,25}[*_]{0,2}\s?[:：]")
_SEPARATOR = re.compile("[-_=]{4}")
"""How a line above the headers of a forwarded mail begins."""
_LANGUAGES = tuple(language for language in MAIL_LANGUAGES if language != "david")
_NO_CLOSINGS = (r"/\w+", "Tak")
"""A path, and what is "yes" in Polish."""


def from_html(html: str) -> str:
    """The text of an HTML mail; quotations get their `>`.

    Raises: RecursionError: nested too deep.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MarkupResemblesLocatorWarning)
        soup = BeautifulSoup(_parseable(html[:MAX_HTML]), "html.parser")
    for unseen in soup(["head", "style", "script", "title"]):
        unseen.decompose()
    converter = MarkdownConverter(
        strip=["a", "img"], escape_asterisks=False, escape_underscores=False, escape_misc=False
    )
    text: str = converter.convert_soup(soup)
    return text


def _parseable(html: str) -> str:
    """Without comments, declarations and tags that are not closed, on which the parser takes minutes."""
    before, *after = html.split("<!--")
    seen = before + "".join(part.partition("-->")[2] for part in after)
    return _NO_TAG.sub("&lt;", _DECLARATION.sub("", seen))


def own_words(text: str) -> str:
    """What the sender of a mail wrote in it; empty where all of it is quoted.

    Below a line that announces a quotation, what is not marked with `>` is an answer if the quotation is marked,
    else somebody else's text to the end.
    """
    hidden: list[str] = []
    parts = _Mail(_prepared(text[:MAX_LENGTH], hidden), list(_LANGUAGES), keep_hyphen_lists=True).read().replies
    kept = [_unquoted(parts[0].body)] if parts else []
    for part in parts[1:]:
        if not part.full_body.startswith(_QUOTED):
            break
        kept.append(_unquoted(part.body))
    if parts and parts[0].headers and not kept[0]:  # the mail begins with the announcement
        kept = kept[1:]
    joined = "\n\n".join(text for text in kept if text)
    return _HIDDEN_LINE.sub(lambda found: hidden[int(found[1])], _without_separators(joined)).strip()


class _Mail(EmailMessage):  # type: ignore[misc]  # the library tells no types
    """The library's reader, which takes each line that begins like a closing for the end of the mail.

    Of a Polish mail one line like "Data: ..." was a header; others need two.
    """

    def _get_language_regex(self, language: str, regex_key: str) -> str:
        if regex_key == "signatures":
            return _closings(language)
        found: str = super()._get_language_regex(language, regex_key)
        return found.replace("{1,}", "{2,}") if language == "pl" and regex_key == "from_header" else found


@cache
def _closings(language: str) -> str:
    """What a mail is closed with, on a line of its own."""
    known = [closing for closing in MAIL_LANGUAGES[language].get("signatures", ()) if closing not in _NO_CLOSINGS]
    return "|".join(rf"{closing.rstrip(',.')}[ ,.!]*$" for closing in known)


def _prepared(text: str, hidden: list[str]) -> str:
    """Without what makes the parser's patterns slow: runs of blank lines, quotations, and very long lines."""
    lines: list[str] = []
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        stripped = _HIDDEN_LINE.sub("", line.strip())
        if stripped.startswith(_QUOTED):
            stripped = _QUOTED
        elif len(stripped) > _LONG_LINE:
            hidden.append(stripped)
            stripped = f"\ue000{len(hidden) - 1}\ue001"
        if stripped not in ("", _QUOTED) or lines[-1:] != [stripped]:
            lines.append(stripped)
    return "\n".join(_announcements_obeyed(lines))


def _announcements_obeyed(lines: list[str]) -> list[str]:
    """Without lines that announce a quotation in whatever language, and without what follows where it is not marked."""
    kept: list[str] = []
    for place, line in enumerate(lines):
        if _starts_headers(lines[place : place + HEADER_LINES]):
            break
        if not _announces(line):
            kept.append(line)
        elif not next((after for after in lines[place + 1 :] if after), "").startswith(_QUOTED):
            break
    return kept


def _announces(line: str) -> bool:
    """Whether this is a line like "Em 1 de jan. de 2024, Bob <bob@example.org> escreveu:"."""
    return line.endswith((":", "：")) and bool(_TIME.search(line)) and bool(_BRACKETED.search(line))


def _starts_headers(lines: list[str]) -> bool:
    """Whether these are the headers of a mail, with whatever names: somebody's address and a time among them."""
    named = len(lines) == HEADER_LINES and all(map(_HEADER.match, lines[:3]))
    headers = "\n".join(line for line in lines if _HEADER.match(line))
    return named and bool(_ADDRESS.search(headers)) and bool(_TIME.search(headers))


def _without_separators(text: str) -> str:
    """Without the separators it ends in; of what is nothing else, the first line stays."""
    lines = text.split("\n")
    while len(lines) > 1 and (not lines[-1] or _SEPARATOR.match(lines[-1])):
        lines.pop()
    return "\n".join(lines)


def _unquoted(text: str) -> str:
    kept = "\n".join(line for line in text.split("\n") if not line.startswith(_QUOTED))
    return _BLANK_LINES.sub("\n\n", kept).strip()
