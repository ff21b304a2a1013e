"""Mails in `.eml` and `.mbox` files: only those that the person sent, and in them only what the person wrote."""

from __future__ import annotations

import codecs
import mailbox
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC
from email import message_from_bytes, policy
from email.errors import MessageError
from email.message import EmailMessage
from email.utils import parseaddr
from pathlib import Path

from storage.entries import Entry, ReadOptions, Skipped
from storage.errors import InvalidImportError
from storage.importers.files import reading
from storage.importers.mail_text import from_html, own_words
from storage.importers.values import moment_of, text_of
from storage.records import ImportedText
from storage.values import display_path, is_file, is_folder

ONE_MAIL, MANY_MAILS = ".eml", ".mbox"
SUFFIXES = (ONE_MAIL, MANY_MAILS)
_INSIDE = "mbox"

MAX_MAIL = 32 << 20
"""Bytes of a mail that are read: its text stands before what is attached."""

_OTHERS, _DAMAGED, _DELETED = "mails by others", "damaged mails", "mails that were deleted"
_EXPUNGED = 0x0008
"""In Thunderbird's X-Mozilla-Status: deleted, and in the file only until that is compacted."""
_NOTHING_OWN = "mails without a word of yours (only quoted, empty, encrypted or attached)"
_SOFT_BREAK = re.compile(r"(?<=[^\n-]) \n(?=[^>\s])")
_MALFORMED = (
    MessageError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    RecursionError,
)
"""What the email package raises on headers and bodies that are not what they should be."""


def mailbox_file(path: Path) -> Path:
    """The mailbox at a path: Apple Mail exports a folder NAME.mbox with the file `mbox` in it."""
    inside = path / _INSIDE
    return inside if path.suffix.lower() == MANY_MAILS and is_folder(path) and is_file(inside) else path


def holds_mails(file: Path) -> bool:
    """Whether a file is one of mails by its name."""
    return file.suffix.lower() in SUFFIXES or file.name == _INSIDE


def read(path: Path, options: ReadOptions) -> Iterator[Entry]:
    """What the person wrote in the mails of a file; whose those are, `options.me` says.

    Raises: InvalidImportError: the file cannot be read, or holds no mail.
    """
    for data in _mails(path):
        try:
            yield _entry(data, options.me)
        except _MALFORMED:
            yield Skipped(_DAMAGED)


def senders(path: Path) -> Counter[str]:
    """How many mails each address sent.

    Raises: InvalidImportError: the file cannot be read, or holds no mail.
    """
    found: Counter[str] = Counter()
    for data in _mails(path):
        head = data.split(b"\n\n", 1)[0].split(b"\r\n\r\n", 1)[0]
        try:
            found[_sender(message_from_bytes(head, policy=policy.default))] += 1
        except _MALFORMED:
            continue
    del found[""]
    return found


def _mails(path: Path) -> Iterator[bytes]:
    with reading(path) as stream:
        start = stream.read(5)
        if start != b"From ":
            if path.suffix.lower() == MANY_MAILS:
                raise InvalidImportError(f'{display_path(path)}: is no mbox file (these begin with "From ")')
            yield start + stream.read(MAX_MAIL)
            return
    box = mailbox.mbox(path, create=False)
    try:
        for key in box.iterkeys():
            with box.get_file(key) as mail:
                # Lines that begin with "From " are stored with a ">" before them.
                yield mail.read(MAX_MAIL).replace(b"\n>From ", b"\nFrom ")
    except OSError as error:
        raise InvalidImportError(f"{display_path(path)}: cannot be read ({error.strerror or error})") from error
    finally:
        box.close()


def _entry(data: bytes, me: frozenset[str]) -> Entry:
    mail = message_from_bytes(data, policy=policy.default)
    sender = _sender(mail)
    if not sender:
        return Skipped(_DAMAGED)
    if sender not in me:
        return Skipped(_OTHERS)
    if _is_deleted(mail):
        return Skipped(_DELETED)
    text = text_of(own_words(_body(mail)))
    if not text:
        return Skipped(_NOTHING_OWN)
    return ImportedText(prompt="", text=text, created_at=moment_of(_date(mail)))


def _sender(mail: EmailMessage) -> str:
    return parseaddr(str(mail.get("From", "")))[1].strip().casefold()


def _is_deleted(mail: EmailMessage) -> bool:
    """Whether the program that kept it had it deleted: Thunderbird, those with mbox flags (mutt, Dovecot), Gmail."""
    status = str(mail.get("X-Mozilla-Status", "")).strip()
    with suppress(ValueError):
        if status and int(status, 16) & _EXPUNGED:
            return True
    labels = str(mail.get("X-Gmail-Labels", "")).replace('"', "").split(",")
    return "D" in str(mail.get("X-Status", "")) or "trash" in {label.strip().casefold() for label in labels}


def _date(mail: EmailMessage) -> float | None:
    moment = getattr(mail.get("Date"), "datetime", None)
    if moment is None:
        return None
    # "-0000" is UTC, of a sender whose zone is not told.
    stamp: float = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return stamp


def _body(mail: EmailMessage) -> str:
    """The plain text, in one piece with what follows pictures in it; where there is no word in it the HTML."""
    text = "\n\n".join(filter(str.strip, map(_text, _parts(mail, "plain"))))
    return text or "\n\n".join(map(_text, _parts(mail, "html")))


def _parts(mail: EmailMessage, subtype: str) -> list[EmailMessage]:
    first = mail.get_body(preferencelist=(subtype,))
    if not isinstance(first, EmailMessage):
        return []
    beside = list(mail.iter_parts()) if mail.get_content_type() == "multipart/mixed" else []
    if all(part is not first for part in beside):
        return [first]
    kind = first.get_content_type()
    shown = [part for part in beside if part.get_content_type() == kind and not part.get_filename()]
    return [part for part in shown if isinstance(part, EmailMessage) and not part.is_attachment()]


def _text(part: EmailMessage) -> str:
    content = _decoded(part)
    if part.get_content_subtype() == "html":
        return from_html(content)
    flowed = part["content-type"].params.get("format", "").lower() == "flowed" if part["content-type"] else False
    return _SOFT_BREAK.sub(" ", content.replace("\r\n", "\n")) if flowed else content


def _decoded(part: EmailMessage) -> str:
    """The content as text; where no encoding is told that we know, UTF-8 if it is that, else that of old Windows."""
    charset = part.get_content_charset()
    with suppress(LookupError):
        if charset and codecs.lookup(charset).name != "ascii":
            content = part.get_content()
            return content if isinstance(content, str) else ""
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return payload.decode("cp1252", "replace")
