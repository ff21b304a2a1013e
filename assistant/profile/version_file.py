"""A profile version as one file: a zip with its figures and words as JSON, and its control vector as GGUF."""

from __future__ import annotations

import json
import lzma
import math
import struct
import tempfile
import zipfile
import zlib
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from assistant.errors import AssistantError
from assistant.records import Outcome
from steering.control_vector import ControlVector, ControlVectorError
from storage.private_output import private_output
from storage.values import is_file

SUFFIX = ".zip"
FORMAT = "assistant-profile"
FORMAT_VERSION = 1
WORDS, VECTOR = "profile.json", "vector.gguf"
LARGEST = {WORDS: 4 << 20, VECTOR: 128 << 20}
LONGEST_DESCRIPTION = 20_000
LONGEST_DIGITS, LARGEST_GAIN, LARGEST_STRENGTH = 15, 100.0, 100.0


@dataclass(frozen=True, slots=True)
class VersionFile:
    """What a file says: `outcome` names no texts, as these stay in the history that they came from."""

    created_at: datetime
    model_fingerprint: str
    description: str
    description_edited: bool
    outcome: Outcome
    vector: bytes | None


def write_version(path: Path, held: VersionFile, *, force: bool = False) -> None:
    """Write a version to `path` (0600, whole or not at all).

    Raises: StorageError: there is something at `path` and not `force`, or it cannot be written.
    """
    words = asdict(replace(held, outcome=without_texts(held.outcome)))
    del words["vector"]
    words |= {"format": FORMAT, "version": FORMAT_VERSION, "created_at": held.created_at.isoformat()}
    text = json.dumps(words, ensure_ascii=False, indent=1)
    with private_output(path, force=force) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr(_entry(WORDS), text)
        if held.vector is not None:
            out.writestr(_entry(VECTOR), held.vector)


def read_version(path: Path, scratch: Path) -> VersionFile:
    """What `write_version` wrote, checked in every part; `scratch` is a folder for a file that is soon gone.

    Raises: AssistantError: it is something else, broken, too large or inconsistent; says what.
    """
    if not is_file(path):
        raise AssistantError(f"{path}: no such file that can be read; name an exported version (.zip)")
    try:
        with zipfile.ZipFile(path) as held:
            words, vector = _member(held, WORDS), _member(held, VECTOR)
    except OSError as error:
        raise AssistantError(f"{path}: cannot be read ({error.strerror or 'it is broken'})") from error
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, struct.error, RuntimeError, ValueError) as error:
        # RuntimeError: encrypted, or packed in a way that is not known.
        raise AssistantError(f"{path}: is not an exported version, or is broken") from error
    if words is None:
        raise AssistantError(f"{path}: is not an exported version: {WORDS} is not in it")
    try:
        return _checked(words, vector, scratch)
    except _RefusedError as error:
        raise AssistantError(f"{path}: cannot be taken as a version: {error}") from error


def without_texts(outcome: Outcome) -> Outcome:
    """The same without the names of texts: elsewhere they name other texts or none."""
    phrases = tuple(replace(phrase, item_ids=()) for phrase in outcome.phrases)
    return replace(outcome, phrases=phrases, left_out=(), influence=())


def vector_of(data: bytes, scratch: Path) -> ControlVector:
    """The control vector in the bytes of a file, by way of a file in `scratch`.

    Raises: ControlVectorError: it is none.
    """
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        path = Path(folder) / VECTOR
        path.write_bytes(data)
        return ControlVector.read_gguf(path)


class _RefusedError(ValueError):
    """Why a file is not taken."""


def _entry(name: str) -> zipfile.ZipInfo:
    """Without the time of day: the same version gives the same file."""
    entry = zipfile.ZipInfo(name)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o600 << 16
    return entry


def _member(held: zipfile.ZipFile, name: str) -> bytes | None:
    """One file of the archive, read no further than it may be long; None where it is not there."""
    if name not in held.namelist():
        return None
    with held.open(name) as source:
        data = source.read(LARGEST[name] + 1)
    if len(data) > LARGEST[name]:
        raise ValueError(f"{name} is too large")
    return data


def _checked(data: bytes, vector: bytes | None, scratch: Path) -> VersionFile:
    try:
        value = json.loads(data.decode(), parse_int=_whole, parse_float=_number, parse_constant=_number)
        json.dumps(value, ensure_ascii=False).encode()  # half a character could be neither kept nor shown
    except _RefusedError:
        raise
    except (ValueError, RecursionError) as error:
        raise _RefusedError(f"{WORDS} is not JSON in UTF-8") from error
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise _RefusedError("it is some other file")
    if value.get("version") != FORMAT_VERSION:
        raise _RefusedError(f"it was written by a newer program; this one reads form {FORMAT_VERSION}")
    try:
        # Strictly, as a "nan" in quotation marks would be taken for a number.
        read = _reader().validate_json(json.dumps(value | {"vector": None}), strict=True)
    except (ValidationError, RecursionError) as error:
        raise _RefusedError(_first_fault(error)) from error
    words = replace(read, vector=vector)
    _check_words(words)
    _check_vector(words.outcome, vector, scratch)
    created = words.created_at if words.created_at.tzinfo else words.created_at.replace(tzinfo=UTC)
    return replace(words, created_at=created, outcome=without_texts(words.outcome))


def _check_words(words: VersionFile) -> None:
    outcome = words.outcome
    gains = (outcome.gain_nats_per_token, *outcome.gain_interval, outcome.gain_random, outcome.gain_other)
    if any(abs(gain) > LARGEST_GAIN for gain in (*gains, *(point.gain for point in outcome.curve))):
        raise _RefusedError("a gain in it is no gain that text can have")
    if not 0 <= outcome.safe_strength <= LARGEST_STRENGTH or outcome.items < 0:
        raise _RefusedError("a figure in it is out of range")
    if max(len(words.description), len(outcome.description)) > LONGEST_DESCRIPTION:
        raise _RefusedError(f"its description is longer than {LONGEST_DESCRIPTION:,} characters")
    lines = (words.model_fingerprint, outcome.method, outcome.reason, outcome.limitation, *outcome.seconds)
    if not words.model_fingerprint or not all(line.isprintable() and len(line) <= 2000 for line in lines):
        raise _RefusedError("a line in it is not plain text")
    if not 1 <= words.created_at.year - 1969 <= 1000:
        raise _RefusedError("its date is out of range")


def _check_vector(outcome: Outcome, vector: bytes | None, scratch: Path) -> None:
    if vector is None:
        if outcome.form in ("vector", "both"):
            raise _RefusedError("it steers by a vector, which is not in it")
        return
    try:
        vector_of(vector, scratch)
    except ControlVectorError as error:
        raise _RefusedError(f"{VECTOR} is not a control vector") from error


def _whole(digits: str) -> int:
    if len(digits) > LONGEST_DIGITS:
        raise _RefusedError("a number in it is too large")
    return int(digits)


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number) or abs(number) >= 10**LONGEST_DIGITS:
        raise _RefusedError("a number in it is too large, or none")
    return number


def _first_fault(error: ValidationError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return f"{WORDS} is nested too deeply"
    fault = error.errors(include_input=False, include_url=False, include_context=False)[0]
    place = ".".join(str(part) for part in fault["loc"] if str(part).isidentifier() or isinstance(part, int))
    return f"{place[:80] or WORDS} is missing or is not what it has to be"


@cache
def _reader() -> TypeAdapter[VersionFile]:
    return TypeAdapter(VersionFile)
