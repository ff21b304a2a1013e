"""Small valid files of every kind that a parser of ours reads: what the fuzzers start from."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from dataclasses import is_dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFWriter

from assistant.channel import encode
from assistant.engine import protocol as engine
from assistant.models.hub import protocol as hub
from assistant.profile.version_file import VersionFile, write_version
from assistant.rebuild import protocol as rebuild
from steering.items import PreferenceItem, Source
from steering.profile import KeptVector
from storage.entries import ParsedConversation, ParsedMessage, VetoedPhrase
from storage.exporters.complete import pieces
from storage.records import ImportedText
from tests.assistant.made import OUTCOME
from tests.storage.exports import chatgpt, node
from tests.storage.test_import_databases import ELIA, LLM, LLM_TREE, OTERM, made
from tests.tiny_models import write_vector

CHATGPT: Any = [
    chatgpt(
        {
            "r": {"parent": None, "children": ["a"], "message": None},
            "a": node("r", "user", "How do ferns grow?", time=1700000000.5, children=["b", "c"]),
            "b": node("a", "assistant", "In shade.", time=1700000001, metadata={"model_slug": "gpt-4o"}),
            "c": node(
                "a", "assistant", content={"content_type": "thoughts", "thoughts": [{"summary": "s", "content": "t"}]}
            ),
            "d": node("c", "assistant", content={"content_type": "code", "language": "python", "text": "1 + 1"}),
            "e": node("d", "tool", content={"content_type": "execution_output", "text": "2"}),
            "f": node("e", "user", {"content_type": "image_asset_pointer"}, "And this?", weight=1.0, recipient="all"),
        },
        current_node="f",
        update_time=1700000009.0,
    )
]
CLAUDE: Any = [
    {
        "uuid": "c-1",
        "name": "Ferns",
        "created_at": "2025-01-01T10:00:00Z",
        "updated_at": "2025-01-01T10:00:01Z",
        "chat_messages": [
            {
                "uuid": "m1",
                "sender": "human",
                "text": "How?",
                "content": [{"type": "text", "text": "How?"}],
                "created_at": "2025-01-01T10:00:00.000000Z",
                "parent_message_uuid": "00000000-0000-4000-8000-000000000000",
                "attachments": [{"file_name": "a.txt", "extracted_content": "x"}],
                "files": [],
            },
            {
                "uuid": "m2",
                "sender": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "Hm."},
                    {"type": "text", "text": "So."},
                    {"type": "tool_use"},
                ],
                "created_at": "2025-01-01T10:00:01Z",
                "parent_message_uuid": "m1",
            },
        ],
    }
]
LINES: Any = [
    {"prompt": "How?", "text": "Slowly."},
    {
        "messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": [{"type": "text", "text": "Yo"}]},
        ]
    },
    {"role": "user", "content": "Alone", "created_at": "2025-01-01"},
]
PEOPLE: Any = [
    {"user_id": "a", "split": split, "order": number, "prompt": "How?", "text": f"Text {number} of {split}."}
    for split in ("history", "test")
    for number in range(3)
]
SCHEMA: Any = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z]{1,8}$", "minLength": 1},
        "kind": {"enum": ["a", "b"]},
        "many": {"type": "array", "items": {"$ref": "#/$defs/one"}, "maxItems": 4},
        "other": {"anyOf": [{"type": "null"}, {"type": "integer"}]},
    },
    "$defs": {"one": {"type": "string", "format": "date"}},
    "required": ["name"],
    "additionalProperties": False,
}
SETTINGS = b"""\
# mine
[model]
path = "~/models/a.gguf"
context_tokens = 4096
system_prompt = '''Be
brief'''
[sampling]
temperature = 0.7
[models."a.gguf"]
top_k = 40
[appearance]
theme = "nord"
list = [1, 2.5, 1979-05-27T07:32:00Z, {a = 1}]
"""
MAIL = b"""\
From: Me <a@b.c>
To: you@d.e
Date: Mon, 3 Feb 2025 10:00:00 +0100
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary="x"

--x
Content-Type: text/plain; charset=utf-8; format=flowed
Content-Transfer-Encoding: quoted-printable

Aye, so it is=2E

On Sun, 2 Feb 2025 at 10:00, You <you@d.e> wrote:
> Is it so?
--x
Content-Type: text/html; charset=iso-8859-1
Content-Transfer-Encoding: base64

PHA+QXllLCA8Yj5zbzwvYj4gaXQgaXMuPC9wPjxibG9ja3F1b3RlPnE8L2Jsb2NrcXVvdGU+
--x--
"""
TEMPLATE = (
    b"{% if messages[0]['role'] == 'system' %}{{ messages[0].content }}{% set messages = messages[1:] %}{% endif %}"
    b"{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content']|trim }}"
    b"{% if loop.last and add_generation_prompt %}{{ bos_token }}{% endif %}{% endfor %}{{ strftime_now('%d') }}"
)


def own_export() -> Any:
    """What `assistant export` writes."""
    asked = "How? They wrote: so."
    said = ParsedMessage("a", None, "user", asked, datetime(2025, 1, 1, tzinfo=UTC), pasted=((5, 20),), claimed=True)
    reply = ParsedMessage(
        "b", "a", "assistant", "So.", model="m", rating=1, profile_version=2, strength=1.0, stats={"seed": 1}
    )
    talk = ParsedConversation("own", "1", "Ferns", (said, reply), "b", tags=("x",))
    return json.loads("".join(pieces([talk, ImportedText(prompt="", text="Mine."), VetoedPhrase("aye")])))


def mbox() -> bytes:
    """A box of two mails."""
    return b"From a@b.c Mon Feb  3 10:00:00 2025\n" + MAIL + b"\nFrom x\n" + MAIL.replace(b"a@b.c", b"q@b.c")


def archive() -> bytes:
    """What ChatGPT sends, of no time of day: it has to be the same each time."""
    held = io.BytesIO()
    texts = {"chat.html": "<p>", "conversations.json": json.dumps(CHATGPT)}
    with zipfile.ZipFile(held, "w") as out:
        for name, text in (texts | {"more/conversations-1.json": json.dumps(CLAUDE)}).items():
            out.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)
    return held.getvalue()


@cache
def databases() -> tuple[bytes, ...]:
    """Histories of llm (both kinds), oterm and elia."""
    with tempfile.TemporaryDirectory() as folder:
        scripts = ((LLM,), (LLM, LLM_TREE), (OTERM,), (ELIA,))
        return tuple(made(Path(folder) / f"{n}.db", *each).read_bytes() for n, each in enumerate(scripts))


@cache
def vector() -> bytes:
    """A control vector of two blocks."""
    with tempfile.TemporaryDirectory() as folder:
        return write_vector(Path(folder) / "v.gguf", {1: np.ones(4), 2: np.arange(4)}).read_bytes()


@cache
def model() -> bytes:
    """A model file with every kind of metadata and weights of a few bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.gguf"
        writer = GGUFWriter(path, "llama")
        writer.add_name("Small")
        writer.add_file_type(0)
        writer.add_context_length(64)
        writer.add_embedding_length(8)
        writer.add_block_count(1)
        writer.add_token_list(["a", "b"])
        writer.add_token_types([1, 3])
        writer.add_rope_freq_base(1.5)
        writer.add_add_bos_token(False)
        writer.add_chat_template(TEMPLATE.decode())
        writer.add_tensor("token_embd.weight", np.ones((2, 8), np.float32))
        writer.add_tensor("blk.0.attn_norm.weight", np.ones(8, np.float16))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path.read_bytes()


def engine_lines() -> tuple[bytes, ...]:
    """A request or event of each kind between the app and the engine."""
    tuning = engine.Tuning(2, flash_attention=True)
    turns = (engine.Turn("user", "How?"), engine.Turn("assistant", "So."))
    likely = engine.TokenLogprob("a", -0.5, (("a", -0.5), ("b", -1.5)))
    loaded = engine.Loaded("/m", "Tiny", "llama", 3, 64, 99, 2048, True, 0.5, tuning, False, False)
    return tuple(
        map(
            encode,
            (
                engine.Load("/m.gguf", tuning=tuning),
                engine.Steer("/v.gguf", 0.5, "generated"),
                engine.Generate(turns, engine.Sampling(seed=1, stop=("x",), logprobs=2), True, turns),
                engine.Stop(),
                engine.Beat(),
                engine.Loading(0.5),
                loaded,
                engine.Steered(None, 0.0),
                engine.Prefill(1, 2),
                engine.Piece("a", 0, (likely,)),
                engine.Thought("b"),
                engine.Finished("end", 1, 1, 1, 0.1, 0.2, 0, 3, 2048),
                engine.Failed("no"),
            ),
        )
    )


def rebuild_lines() -> tuple[bytes, ...]:
    """A request or message of each kind between the app and the rebuild, and the app and a download."""
    effect = rebuild.Effect("i", "h", "c", "e", "m", (0, 1), (1, 2), (-1.0, -2.0), (-3.0, -4.0), ("x",))
    item, kept = _item(), KeptVector("k", {4: (0.5, -1.0)})
    return tuple(
        map(
            encode,
            (
                rebuild.Start((item,), (effect,), ("v",), None, ("r",), "/m", "f", "/c", engine.Sampling(), None),
                rebuild.Start((), (), (), "d", (), "/m", "f", "/c", engine.Sampling(), 2, another_author=kept),
                rebuild.CheckParity("/m", "f", "/c", 2),
                rebuild.StageProgress("effects", 1, 2),
                rebuild.Scored((effect,)),
                rebuild.Built(OUTCOME, "R0dVRg==", ("r",), kept),
                rebuild.RebuildFailed("no"),
                rebuild.ParityFound(0.1, 1.0, ""),
                hub.Fetch("a/b", "c.gguf", "", "/f"),
                hub.Found(("a",), ("b",), 2, 1),
                hub.Fetched("a"),
            ),
        )
    )


def messages_of(*modules: Any) -> tuple[type, ...]:
    """Every dataclass that these modules define: all that may stand on a pipe."""
    return tuple(
        kind
        for module in modules
        for kind in vars(module).values()
        if isinstance(kind, type) and is_dataclass(kind) and kind.__module__ == module.__name__
    )


def _item() -> PreferenceItem:
    return PreferenceItem("i", "How?", "So.", Source.WRITING, 1.0, "No.")


@cache
def version() -> bytes:
    """An exported version of the profile."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "version.zip"
        made = datetime(2025, 1, 1, tzinfo=UTC)
        write_version(path, VersionFile(made, "fingerprint", "Says aye.", False, OUTCOME, vector()))
        return path.read_bytes()


def version_words() -> Any:
    """Its figures and words."""
    with zipfile.ZipFile(io.BytesIO(version())) as held:
        return json.loads(held.read("profile.json"))
