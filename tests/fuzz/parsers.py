"""Every parser of ours as the fuzzers see it: how to make a case for it, and what it may answer.

A parser takes what it is given or refuses it in one line of its own error; anything else is a bug.
"""

from __future__ import annotations

import io
import json
import tomllib
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from pydantic import TypeAdapter

from assistant.channel import Decoder, ProtocolError
from assistant.engine import protocol as engine_protocol
from assistant.engine import templates
from assistant.engine.protocol import Turn
from assistant.engine.tunings import Tunings
from assistant.errors import AssistantError, EngineError, ModelError, SettingsError
from assistant.models import catalogue
from assistant.models.gguf_file import read_contents
from assistant.models.header import read_header
from assistant.models.hub import protocol as hub_protocol
from assistant.profile.version_file import read_version, write_version
from assistant.rebuild import protocol as rebuild_protocol
from assistant.settings import load_settings, save_setting
from assistant.visible import sanitise
from steering.control_vector import ControlVector, ControlVectorError
from steering.evaluation.reading import people_of, read_texts
from storage.entries import ParsedConversation, ReadOptions
from storage.errors import InvalidImportError
from storage.importers import read_entries, senders
from storage.records import ImportedText
from tests.fuzz import seeds
from tests.fuzz.mutate import NUMBERS, PIECES, mutated, mutated_json, raw

ME = "a@b.c"
GGUF_PIECES = (
    b"GGUF",
    b"\3\0\0\0",
    *(number.to_bytes(8, "little") for number in NUMBERS),
    b"\x09\0\0\0",
    b"\x08\0\0\0",
)
TEMPLATE_PIECES = (
    *(
        b"{{",
        b"}}",
        b"{%",
        b"%}",
        b"{% for x in messages %}",
        b"{% endfor %}",
        b"|join",
        b"|tojson",
        b".__class__",
        b"()",
    ),
    *(
        b"[0]",
        b"~",
        b"{% if",
        b"{% endif %}",
        b"namespace(a=1)",
        b"range(9)",
        b"|default('')",
        b"{#",
        b"loop.",
        b"{% break %}",
    ),
)
HTML_PIECES = (
    b"<p>",
    b"</p>",
    b"<!--",
    b"-->",
    b"<a href='",
    b"&#x1F;",
    b"<script>",
    b"<blockquote>",
    b"> ",
    b"On a wrote:\n",
    b"--x\n",
)
TOML_PIECES = (
    b"[",
    b"]",
    b"[[",
    b"=",
    b".",
    b"'''",
    b'"""',
    b"\n",
    b"#",
    b"{",
    b"}",
    b"model",
    b"1979-05-27",
    b"0x",
    b"inf",
    b"\\u0000",
)

ODD_FOLDERS = ("", "", "a/", "../", "/", "C:\\", "a/../../", "é/", "__MACOSX/")

Make = Callable[[Random], bytes]
Run = Callable[[bytes, Path], None]


@dataclass(frozen=True, slots=True)
class Parser:
    """`make` draws a case; `run` gives it to the parser (a folder is at hand) and raises only what is a bug."""

    make: Make
    run: Run


def _of_json(valid: Callable[[], Any], *, lines: bool = False, pieces: tuple[bytes, ...] = PIECES) -> Make:
    def make(chance: Random) -> bytes:
        kind = chance.randrange(10)
        if kind == 0:
            return raw(chance)
        value = valid() if kind == 1 else mutated_json(valid(), chance)
        as_lines = lines and isinstance(value, list)
        text = (
            "\n".join(map(json.dumps, value)) if as_lines else json.dumps(value, ensure_ascii=bool(chance.randrange(2)))
        )
        data = text.encode("utf-8", "surrogatepass")
        return mutated(data, chance, pieces) if kind < 5 else data

    return make


def _of_bytes(valid: Callable[[Random], bytes], pieces: tuple[bytes, ...] = PIECES) -> Make:
    return lambda chance: raw(chance) if chance.randrange(10) == 0 else mutated(valid(chance), chance, pieces)


def _message(lines: tuple[bytes, ...]) -> Make:
    def make(chance: Random) -> bytes:
        line = lines[chance.randrange(len(lines))]
        if chance.randrange(2):
            return json.dumps(mutated_json(json.loads(line), chance)).encode()
        return raw(chance) if chance.randrange(8) == 0 else mutated(line, chance)

    return make


def _zip(chance: Random) -> bytes:
    """A mutated archive, or one that holds mutated or oddly named files."""
    if chance.randrange(2):
        return mutated(
            seeds.archive(), chance, (*PIECES, b"PK\1\2", b"PK\3\4", b"PK\5\6", b"../", b"conversations.json")
        )
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as out:
        for number in range(1 + chance.randrange(3)):
            info = zipfile.ZipInfo(f"{chance.choice(ODD_FOLDERS)}conversations-{number}.json")
            info.compress_type = chance.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, zipfile.ZIP_BZIP2))
            info.external_attr = chance.choice((0, 0o120777 << 16, 0o100644 << 16))
            bomb = chance.randrange(30) == 0
            content = chance.choice((b"[" * 9000, b" " * 1_100_000)) if bomb else _CHATGPT(chance)
            out.writestr(info, content)
    return held.getvalue()


def _file_import(name: str, file_format: str | None = None) -> Run:
    def run(data: bytes, folder: Path) -> None:
        path = folder / name
        path.write_bytes(data)
        try:
            for entry in read_entries(path, ReadOptions(folder, frozenset({ME})), file_format):
                _check_entry(entry)
        except InvalidImportError as error:
            _one_line(error)

    return run


def _check_entry(entry: Any) -> None:
    """What comes out can be stored: parents before children, names once, text that is Unicode."""
    if isinstance(entry, ImportedText):
        assert entry.text.strip()
        entry.text.encode()
    if isinstance(entry, ParsedConversation):
        names: set[str | None] = {None}
        for message in entry.messages:
            assert message.parent in names
            assert message.source_id not in names
            names.add(message.source_id)
            message.text.encode()
        assert entry.active in names


def _one_line(error: Exception) -> None:
    assert "\n" not in str(error), "a refusal is one line"


def _mails(name: str) -> Run:
    read = _file_import(name)

    def run(data: bytes, folder: Path) -> None:
        read(data, folder)
        with suppress(InvalidImportError):
            senders(folder / name, ReadOptions(folder))

    return run


def _settings(data: bytes, folder: Path) -> None:
    path = folder / "settings.toml"
    path.write_bytes(data)
    try:
        load_settings(path)
        save_setting(path, "sampling", "top_k", 7)
        assert load_settings(path).sampling.top_k == 7
    except SettingsError:
        assert path.read_bytes() == data, "a file that cannot be read stays as it is"


def _catalogue(data: bytes, folder: Path) -> None:
    with suppress(ValueError):  # TOML, Unicode or the schema: the file comes with the program
        TypeAdapter(catalogue.Catalogue).validate_python(tomllib.loads(data.decode()))


def _vector(data: bytes, folder: Path) -> None:
    path = folder / "vector.gguf"
    path.write_bytes(data)
    try:
        read = ControlVector.read_gguf(path)
    except ControlVectorError:
        return
    assert min(read.layers) >= 1
    assert all(direction.shape == (read.width,) for direction in read.directions.values())


def _version(data: bytes, folder: Path) -> None:
    path = folder / "version.zip"
    path.write_bytes(data)
    try:
        read = read_version(path, folder)
    except AssistantError as error:
        _one_line(error)
        return
    write_version(folder / "again.zip", read, force=True)
    assert read_version(folder / "again.zip", folder) == read


def _header(data: bytes, folder: Path) -> None:
    path = folder / "model.gguf"
    path.write_bytes(data)
    for read in (read_contents, read_header):
        with suppress(ModelError):
            read(path)


def _pipe(*modules: Any) -> Run:
    decoder: Decoder[Any] = Decoder(seeds.messages_of(*modules))

    def run(data: bytes, folder: Path) -> None:
        with suppress(ProtocolError):
            decoder.decode(data)

    return run


def _template(data: bytes, folder: Path) -> None:
    templates.LONGEST_SECONDS = 1.0  # a case has two
    turns = [
        Turn("system", "Be <|im_end|> brief"),
        Turn("user", "How?"),
        Turn("assistant", "So."),
        Turn("user", "And?"),
    ]
    with suppress(EngineError):
        templates.ChatTemplate(data.decode("utf-8", "replace"), "<s>", "</s>", ("<|im_start|>", "<|im_end|>")).render(
            turns
        )


def _schema(data: bytes, folder: Path) -> None:
    from assistant.engine.schema import grammar_of

    with suppress(EngineError):
        grammar_of(data.decode("utf-8", "replace"))


def _people(data: bytes, folder: Path) -> None:
    texts, _ = read_texts(data)
    people_of(texts)


def _tunings(data: bytes, folder: Path) -> None:
    path = folder / "tunings.json"
    path.write_bytes(data)
    Tunings(path).get("f", None)


def _shown(data: bytes, folder: Path) -> None:
    shown = sanitise(data.decode("utf-8", "surrogateescape"))
    assert sanitise(shown) == shown
    assert not {"\x1b", "\x07", "\x9b", "\r", "\x08", "\u202e"} & set(shown)


def _version_zip(chance: Random) -> bytes:
    """A mutated exported version, or a whole archive of mutated parts."""
    if chance.randrange(3) == 0:
        return mutated(seeds.version(), chance, (*PIECES, b"PK\1\2", b"PK\3\4", b"PK\5\6", b"profile.json"))
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as out:
        out.writestr(zipfile.ZipInfo("profile.json"), _VERSION_WORDS(chance))
        if chance.randrange(4):
            vector = seeds.vector()
            out.writestr(
                zipfile.ZipInfo("vector.gguf"), mutated(vector, chance, GGUF_PIECES) if chance.randrange(2) else vector
            )
    return held.getvalue()


_VERSION_WORDS = _of_json(seeds.version_words)
_CHATGPT = _of_json(lambda: seeds.CHATGPT)

PARSERS: Mapping[str, Parser] = {
    "chatgpt": Parser(_CHATGPT, _file_import("conversations.json", "chatgpt")),
    "claude": Parser(_of_json(lambda: seeds.CLAUDE), _file_import("conversations.json", "claude")),
    "own": Parser(_of_json(seeds.own_export), _file_import("export.json")),
    "zip": Parser(_zip, _file_import("export.zip")),
    "jsonl": Parser(_of_json(lambda: seeds.LINES, lines=True), _file_import("lines.jsonl")),
    "mbox": Parser(_of_bytes(lambda _: seeds.mbox(), (*PIECES, b"\nFrom ", *HTML_PIECES)), _mails("mails.mbox")),
    "eml": Parser(_of_bytes(lambda _: seeds.MAIL, (*PIECES, *HTML_PIECES)), _mails("mail.eml")),
    "database": Parser(_of_bytes(lambda chance: chance.choice(seeds.databases())), _file_import("logs.db")),
    "text": Parser(_of_bytes(lambda _: "# Grüße\n\nMine.\n".encode()), _file_import("note.md")),
    "settings": Parser(_of_bytes(lambda _: seeds.SETTINGS, (*PIECES, *TOML_PIECES)), _settings),
    "catalogue": Parser(
        _of_bytes(
            lambda _: Path(catalogue.__file__).with_name(catalogue.FILE).read_bytes()[:1500], (*PIECES, *TOML_PIECES)
        ),
        _catalogue,
    ),
    "vector": Parser(_of_bytes(lambda _: seeds.vector(), (*PIECES, *GGUF_PIECES)), _vector),
    "version": Parser(_version_zip, _version),
    "gguf": Parser(_of_bytes(lambda _: seeds.model(), (*PIECES, *GGUF_PIECES)), _header),
    "engine": Parser(_message(seeds.engine_lines()), _pipe(engine_protocol)),
    "rebuild": Parser(_message(seeds.rebuild_lines()), _pipe(rebuild_protocol, hub_protocol)),
    "template": Parser(_of_bytes(lambda _: seeds.TEMPLATE, (*PIECES, *TEMPLATE_PIECES)), _template),
    "schema": Parser(_of_json(lambda: seeds.SCHEMA), _schema),
    "people": Parser(_of_json(lambda: seeds.PEOPLE, lines=True), _people),
    "tunings": Parser(_of_json(lambda: {"f": {"threads": 2, "kv_type": "f16"}}), _tunings),
    "shown": Parser(_of_bytes(lambda _: "a\x1b]0;t\x07\u202eb \xe9 \U0001f469\u200d\r\n".encode()), _shown),
}
