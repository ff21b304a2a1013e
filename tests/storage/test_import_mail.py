"""Mails: whose they are, and what in them the sender wrote. The mails are made by hand, as programs send them."""

from __future__ import annotations

import mailbox
import time
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest

from storage.entries import ReadOptions
from storage.errors import InvalidImportError
from storage.importers import senders
from storage.importers.mail_text import own_words
from storage.records import ImportedText
from tests.storage.exports import entries, skipped

ME = "anna@example.org"


def mail(text: str, sender: str = f"Anna <{ME}>", **headers: str) -> EmailMessage:
    made = EmailMessage()
    made["From"] = sender
    made["To"] = "Bob <bob@example.org>"
    made["Subject"] = "Ferns"
    made["Date"] = "Mon, 01 Jan 2024 10:00:00 +0100"
    for name, value in headers.items():
        made[name] = value
    made.set_content(text)
    return made


def eml(path: Path, made: EmailMessage | bytes) -> Path:
    path.write_bytes(made if isinstance(made, bytes) else bytes(made))
    return path


def texts(path: Path, *me: str) -> list[str]:
    return [entry.text for entry in entries(path, me=me or (ME,)) if isinstance(entry, ImportedText)]


ANNOUNCED = "On Mon, Jan 1, 2024 at 9:00 AM Bob <bob@example.org> wrote:"
ANNOUNCED_IN_GERMAN = "Am 01.01.2024 um 09:00 schrieb Bob <bob@example.org>:"
OWN = {
    "answer above, in English": (
        f"Yes, they like shade.\n\nBest regards,\nAnna\n\n{ANNOUNCED}\n> Do ferns?\n",
        "Yes, they like shade.",
    ),
    "answer above, in German": (
        f"Ja, im Schatten.\n\nViele Grüße\nAnna\n\n{ANNOUNCED_IN_GERMAN}\n> Und Farne?\n> > Alt\n",
        "Ja, im Schatten.",
    ),
    "answers between": (
        f"{ANNOUNCED}\n> Do ferns like sun?\n\nNo, shade.\n\n> And moss?\n\nThe same.\n",
        "No, shade.\n\nThe same.",
    ),
    "Outlook": (
        "We do it so.\n\nFrom: Bob <bob@example.org>\nSent: Monday\nTo: Anna\nSubject: Ferns\n\nSecret words of Bob.\n",
        "We do it so.",
    ),
    "forwarded": ("-----Original Message-----\nFrom: Bob\nTo: Anna\n\nWords of Bob.\n", ""),
    "signature": ("Shade it is.\n\n-- \nAnna Example\nFern Street 1\n", "Shade it is."),
    "a list": (
        "Hi,\n\nthree things:\n- the ferns\n- the moss\n\nI come.",
        "Hi,\n\nthree things:\n- the ferns\n- the moss\n\nI come.",
    ),
    "thanks": ("Hi,\n\nThanks, that works.\n\nNow the garden.", "Hi,\n\nThanks, that works.\n\nNow the garden."),
    "like a closing": ("Take the train at nine.\nI will wait.", "Take the train at nine.\nI will wait."),
    "like a header": ("Data: I attached it.\nPlease look.", "Data: I attached it.\nPlease look."),
    "a path": ("The files are\n/etc/hosts\nand more.", "The files are\n/etc/hosts\nand more."),
    "thanks at the end": ("It works.\n\nThanks,\nAnna\nFern Street 1\n", "It works."),
    "forwarded, in Portuguese": (
        "Sim, de acordo.\n________________________________\nDe: Bob <bob@example.org>\n"
        "Enviada em: segunda-feira, 1 de janeiro de 2024 09:00\nPara: Anna\nAssunto: F\n\nPalavras do Bob.\n",
        "Sim, de acordo.",
    ),
    "forwarded, in Russian": (
        "Да.\n\nОт: Bob <bob@example.org>\nОтправлено: 1 января 2024 г. 9:00\nКому: Anna\nТема: П\n\nСлова Боба.\n",
        "Да.",
    ),
    "announced in Spanish, not marked": (
        "Sí.\n\nEl lun, 1 ene 2024 a las 9:00, Bob (<bob@example.org>) escribió:\n\nPalabras de Bob.\n",
        "Sí.",
    ),
    "announced in Dutch, answers below": (
        "Ja.\n\nOp ma 1 jan 2024 om 09:00 schreef Bob <bob@example.org>:\n> Willen varens schaduw?\n\nZeker.\n",
        "Ja.\n\nZeker.",
    ),
    "an address of one's own": (
        "Name: Anna\nMail: anna@example.org\nWish: a fern\n\nPlease put me on the list.",
        "Name: Anna\nMail: anna@example.org\nWish: a fern\n\nPlease put me on the list.",
    ),
    "nothing quoted": ("I think a > b.\n\nTwo paragraphs, really.", "I think a > b.\n\nTwo paragraphs, really."),
    "only quoted": ("> Words\n> of Bob\n", ""),
}


@pytest.mark.parametrize("name", OWN)
def test_only_what_the_sender_wrote_is_left(name: str):
    text, own = OWN[name]
    assert own_words(text) == own


def test_a_long_line_comes_through_whole():
    line = "word " * 500
    assert own_words(f"{line}\n\nOn Mon, Jan 1, 2024 Bob <b@x.org> wrote:\n> no") == line.strip()


def test_one_mail(tmp_path: Path):
    path = eml(tmp_path / "a.eml", mail("Shade, und Grüße aus Köln.\n"))
    [entry] = entries(path, me=(ME,))
    assert isinstance(entry, ImportedText)
    assert (entry.prompt, entry.text) == ("", "Shade, und Grüße aus Köln.")
    assert entry.created_at is not None and entry.created_at.isoformat() == "2024-01-01T09:00:00+00:00"


def test_html_alone(tmp_path: Path):
    made = mail("")
    made.clear_content()
    made.add_alternative(
        "<html><head><title>t</title><style>p {}</style></head><body><!-- no --><p>Sure, <b>fine</b> with_me.</p>"
        "<div class=gmail_quote><div>On Mon, Jan 1, 2024 at 9:00 AM Bob &lt;bob@example.org&gt; wrote:<br></div>"
        "<blockquote>Words<br>of Bob</blockquote></div><script>x()</script></body></html>",
        subtype="html",
    )
    assert texts(eml(tmp_path / "a.eml", made)) == ["Sure, **fine** with_me."]


def test_the_plain_part_is_preferred_and_attachments_are_not_read(tmp_path: Path):
    made = mail("Plain words.")
    made.add_alternative("<p>HTML words.</p>", subtype="html")
    made.add_attachment("attached words", filename="notes.txt")
    assert texts(eml(tmp_path / "a.eml", made)) == ["Plain words."]


def test_flowed_lines_are_joined(tmp_path: Path):
    data = (
        f"From: {ME}\r\nContent-Type: text/plain; charset=utf-8; format=flowed\r\n\r\n"
        "Ferns like \r\nshade.\r\n\r\nMoss too.\r\n"
    )
    assert texts(eml(tmp_path / "a.eml", data.encode())) == ["Ferns like shade.\n\nMoss too."]


@pytest.mark.parametrize(
    ("told", "used"),
    [
        ("; charset=iso-8859-1", "iso-8859-1"),
        ("; charset=no-such-charset", "utf-8"),
        ("; charset=unknown-8bit", "iso-8859-1"),
        ("; charset=us-ascii", "utf-8"),
        ("", "utf-8"),
        ("", "cp1252"),
    ],
)
def test_charsets(tmp_path: Path, told: str, used: str):
    data = f"From: {ME}\nContent-Type: text/plain{told}\nContent-Transfer-Encoding: 8bit\n\n"
    assert texts(eml(tmp_path / "a.eml", data.encode() + "Grüße aus Köln".encode(used))) == ["Grüße aus Köln"]


def test_what_a_told_charset_makes_of_the_bytes_is_taken(tmp_path: Path):
    data = f"From: {ME}\nContent-Type: text/plain; charset=utf-16\nContent-Transfer-Encoding: 8bit\n\n"
    assert len(entries(eml(tmp_path / "a.eml", data.encode() + "Grüße an alle".encode("utf-16")), me=(ME,))) == 1


def test_what_follows_a_picture_is_of_the_same_text(tmp_path: Path):
    mail = EmailMessage()
    mail["From"] = ME
    mail.set_content("Before the picture.")
    mail.add_attachment(b"\x89PNG", maintype="image", subtype="png", disposition="inline")
    after, attached = EmailMessage(), EmailMessage()
    after.set_content("After the picture.")
    attached.set_content("Notes by somebody else.", disposition="attachment", filename="notes.txt")
    mail.attach(after)
    mail.attach(attached)
    assert texts(eml(tmp_path / "a.eml", mail)) == ["Before the picture.\n\nAfter the picture."]


def test_html_counts_where_the_plain_text_is_blank(tmp_path: Path):
    mail = EmailMessage()
    mail["From"] = ME
    mail.set_content(" \n")
    mail.add_alternative("<p>My words.</p>", subtype="html")
    assert texts(eml(tmp_path / "a.eml", mail)) == ["My words."]


def test_a_date_without_a_known_zone_is_in_utc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    data = f"From: {ME}\nDate: Mon, 01 Jan 2024 10:00:00 -0000\n\nHello there.\n".encode()
    (entry,) = entries(eml(tmp_path / "a.eml", data), me=(ME,))
    monkeypatch.undo()
    time.tzset()
    assert entry.created_at == datetime(2024, 1, 1, 10, tzinfo=UTC)


def box(path: Path) -> Path:
    made = mailbox.mbox(path)
    for text, sender in (
        ("Mine one.\nFrom here on it is about moss.", ME),
        ("News, news.", "news@shop.example"),
        ("Mine two.", ME.upper()),
        ("News again.", "news@shop.example"),
        ("And a third time.", "News <news@shop.example>"),
        ("> only quoted", ME),
    ):
        made.add(mail(text, sender))
    made.add(b"Subject: nobody\n\nfrom nobody")
    made.flush()
    made.close()
    return path


def test_mbox_keeps_the_mails_of_the_person(tmp_path: Path):
    path = box(tmp_path / "all.mbox")
    before = path.read_bytes()
    assert texts(path) == ["Mine one.\nFrom here on it is about moss.", "Mine two."]
    assert skipped(path, me=(ME,)) == {
        "mails by others": 3,
        "mails without a word of yours (only quoted, empty, encrypted or attached)": 1,
        "damaged mails": 1,
    }
    assert senders(path, ReadOptions(tmp_path)) == {ME: 3, "news@shop.example": 3}
    assert path.read_bytes() == before


def test_a_folder_of_texts_and_mails(tmp_path: Path):
    folder = tmp_path / "mine"
    folder.mkdir()
    box(folder / "b.mbox")
    eml(folder / "a.eml", mail("A mail."))
    (folder / "c.txt").write_text("A note.")
    (folder / "d.txt").symlink_to(tmp_path / "elsewhere.txt")
    (tmp_path / "elsewhere.txt").write_text("somebody else's")
    assert texts(folder) == ["A mail.", "Mine one.\nFrom here on it is about moss.", "Mine two.", "A note."]
    assert skipped(folder, me=(ME,))["links to files elsewhere"] == 1
    assert senders(folder, ReadOptions(tmp_path))[ME] == 4


def apple_mailbox(folder: Path) -> Path:
    """A mailbox as Apple Mail exports it: a folder with the mbox and an index in it."""
    folder.mkdir(parents=True)
    box(folder / "mbox")
    (folder / "table_of_contents").write_bytes(b"\x00\x01")
    return folder


def test_a_mailbox_that_apple_mail_exported(tmp_path: Path):
    folder = apple_mailbox(tmp_path / "exported/Sent.mbox")
    mine = ["Mine one.\nFrom here on it is about moss.", "Mine two."]
    assert texts(folder) == mine
    assert senders(folder, ReadOptions(tmp_path)) == {ME: 3, "news@shop.example": 3}
    (folder.parent / "note.txt").write_text("A note.")
    assert texts(folder.parent) == [*mine, "A note."]
    assert senders(folder.parent, ReadOptions(tmp_path))[ME] == 3
    elsewhere = apple_mailbox(tmp_path / "elsewhere.mbox")
    (folder.parent / "linked.mbox").symlink_to(elsewhere)
    assert texts(folder.parent) == [*mine, "A note."]
    assert skipped(folder.parent, me=(ME,))["links to files elsewhere"] == 1


def test_what_is_no_mbox(tmp_path: Path):
    path = eml(tmp_path / "a.mbox", b"Subject: x\n\ny")
    with pytest.raises(InvalidImportError, match="is no mbox file"):
        entries(path, me=(ME,))


def test_an_unnamed_mbox_is_known_by_its_beginning(tmp_path: Path):
    path = box(tmp_path / "x.mbox").rename(tmp_path / "Sent")
    assert len(texts(path)) == 2


@pytest.mark.parametrize(
    ("deleted", "kept"),
    [
        ({"X-Mozilla-Status": "0009"}, {"X-Mozilla-Status": "0001"}),
        ({"X-Status": "AD"}, {"X-Status": "A"}),
        ({"X-Gmail-Labels": "Sent,Trash"}, {"X-Gmail-Labels": "Sent,Trash of the garden"}),
    ],
)
def test_what_was_deleted_where_it_came_from_is_left_out(tmp_path: Path, deleted: dict, kept: dict):
    box = mailbox.mbox(tmp_path / "Sent.mbox")
    box.add(bytes(mail("Deleted words.", **deleted)))
    box.add(bytes(mail("Kept words.", **kept)))
    box.close()
    assert texts(tmp_path / "Sent.mbox") == ["Kept words."]
    assert skipped(tmp_path / "Sent.mbox", me=(ME,)) == {"mails that were deleted": 1}
