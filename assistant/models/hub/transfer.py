"""From the hub into the models folder: found, fetched into part files, verified, moved into place.

The only module that imports huggingface_hub. Its own download of a file throws away what came when it is interrupted,
so the pieces below it are used: metadata, and a transfer that goes on where a file ends.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import httpx2
from huggingface_hub import HfApi, constants, get_hf_file_metadata, get_token, hf_hub_url
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    RepositoryNotFoundError,
)
from huggingface_hub.file_download import http_get
from huggingface_hub.hf_api import RepoFile

from assistant.errors import DownloadError, ModelError
from assistant.models.header import read_header
from assistant.models.hub.protocol import Fetch, Fetched, FetchMessage, Found, Verifying
from assistant.models.notes import origin_notes
from assistant.models.own_folder import PARTS, part_file
from steering.models.splits import is_first, part_names

_CHUNK_BYTES = 2**18
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PREFERRED = "q4_k_m"
_MOST_NAMED = 12

Emit = Callable[[FetchMessage], None]
Ticking = Callable[[list[Path]], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class _File:
    """A file on the hub at one commit, and where it goes; sizes in bytes."""

    url: str
    size: int
    sha256: str
    part: Path
    target: Path


def fetch(request: Fetch, emit: Emit, ticking: Ticking) -> Fetched:
    """Download what is asked for, unless it is there.

    Raises: DownloadError: another file of its name is in the folder; not there, not allowed, no network, no room,
        wrong bytes, or no model; all in words.
    """
    # Ten megabytes, the library's own, are minutes on a slow line, and are lost whenever it is cut.
    constants.DOWNLOAD_CHUNK_SIZE = _CHUNK_BYTES
    folder = Path(request.folder)
    with _said(request), ExitStack() as held:
        names = _names(request)
        first = Path(names[0]).name
        there = folder / first
        whole = all((folder / Path(name).name).is_file() for name in names)
        if whole and origin_notes(folder).read().get(first) == _origin(request, names[0], there):
            return Fetched(first, already_there=True)
        files = [_look_up(request, name, folder) for name in names]
        if request.sha256 and files[0].sha256 != request.sha256:
            raise DownloadError(
                f"{request.repository}: {first} is no longer the file of the catalogue; to take it "
                f"all the same: assistant models pull {request.repository}:{names[0]}"
            )
        here = [file for file in files if file.target.is_file()]
        _verify_here(here, request, emit)
        if len(here) == len(files):
            origin_notes(folder).note([first], _origin(request, names[0], there))
            return Fetched(first, already_there=True)
        files = [file for file in files if file not in here]  # a split model may have lost one
        (folder / PARTS).mkdir(mode=0o700, parents=True, exist_ok=True)
        streams = [held.enter_context(_opened(file)) for file in files]
        done, size = sum(map(_length, streams)), sum(file.size for file in files)
        _check_room(folder, size - done)
        parts = [file.part for file in files]
        emit(Found(tuple(file.target.name for file in files), tuple(map(str, parts)), size, done))
        with ticking(parts):
            for file, stream in zip(files, streams, strict=True):
                _transfer(file, stream)
        emit(Verifying())
        for file in files:
            _verify(file)
        # The first part last: a split model is whole when it can be seen.
        for file in reversed(files):
            file.part.replace(file.target)
        try:
            read_header(there)
        except ModelError:
            for file in files:
                file.target.unlink(missing_ok=True)
            raise
        origin_notes(folder).note([first], _origin(request, names[0], there))
        return Fetched(first)


def _verify_here(here: list[_File], request: Fetch, emit: Emit) -> None:
    """Raises: DownloadError: a file in the folder is another one than the hub's."""
    if not here:
        return
    size = sum(file.target.stat().st_size for file in here)
    emit(Found(tuple(file.target.name for file in here), (), size, size))
    emit(Verifying())
    for file in here:
        if _checksum(file.target) != file.sha256:
            raise DownloadError(
                f"{file.target}: is there already and is another file than that of {request.repository}; to take that "
                f"one: assistant models remove {part_names(file.target.name)[0]}"
            )


def _origin(request: Fetch, name: str, file: Path) -> str:
    """Where a file was downloaded from; another one that is put in its place has another size or time."""
    state = file.stat()
    return f"{request.repository}:{name} {state.st_size} {state.st_mtime_ns}"


def _checksum(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _names(request: Fetch) -> list[str]:
    """The files to fetch: the one named with its other parts, or the only one that suits."""
    if request.file:
        folder, slash, name = request.file.rpartition("/")
        return [f"{folder}{slash}{part}" for part in part_names(name)]
    tree = HfApi().list_repo_tree(request.repository, recursive=True)
    sizes = {entry.path: entry.size for entry in tree if isinstance(entry, RepoFile) and _is_model(entry.path)}
    firsts = [path for path in sizes if is_first(Path(path))]
    suiting = [path for path in firsts if _PREFERRED in path.lower()] if len(firsts) > 1 else firsts
    if len(suiting) != 1:
        raise DownloadError(_choose(request.repository, {path: sizes[path] for path in firsts}))
    return _names(Fetch(request.repository, suiting[0], "", ""))


def _is_model(path: str) -> bool:
    return path.lower().endswith(".gguf") and "mmproj" not in path.lower()


def _choose(repository: str, sizes: dict[str, int]) -> str:
    if not sizes:
        return f"{repository}: holds no GGUF model; look for a repository whose name ends with -GGUF"
    shown = ", ".join(f"{path} ({size / 1e9:.1f} GB)" for path, size in list(sizes.items())[:_MOST_NAMED])
    more = f" and {len(sizes) - _MOST_NAMED} more" if len(sizes) > _MOST_NAMED else ""
    return f"{repository}: name one of its files, as {repository}:FILE; there are {shown}{more}"


def _look_up(request: Fetch, name: str, folder: Path) -> _File:
    url = hf_hub_url(request.repository, name)
    try:
        found = get_hf_file_metadata(url)
    except HfHubHTTPError as error:
        if error.response.status_code != 429 and error.response.status_code < 500:
            raise
        found = get_hf_file_metadata(url, retry_on_errors=True)
    if not found.etag or not _SHA256.fullmatch(found.etag) or found.size is None:
        raise DownloadError(f"{request.repository}: the hub names no checksum for {name}; nothing was downloaded")
    short = Path(name).name
    return _File(
        hf_hub_url(request.repository, name, revision=found.commit_hash),
        found.size,
        found.etag,
        folder / PARTS / part_file(short, found.etag),
        folder / short,
    )


@contextmanager
def _opened(file: _File) -> Iterator[BinaryIO]:
    """The part file at its end, for this process alone."""
    descriptor = os.open(file.part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "r+b") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DownloadError(f"{file.target.name}: is being downloaded already by another process") from None
        if stream.seek(0, os.SEEK_END) > file.size:
            stream.truncate(0)
            stream.seek(0)
        yield stream


def _length(stream: BinaryIO) -> int:
    return os.fstat(stream.fileno()).st_size


def _check_room(folder: Path, missing: int) -> None:
    free = shutil.disk_usage(folder).free
    if missing > free:
        raise DownloadError(
            f"{folder}: {missing / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB are free; free some space, "
            "or choose a smaller model"
        )


def _transfer(file: _File, stream: BinaryIO) -> None:
    """Fetch what is missing, for as long as every attempt brings some of it."""
    while True:
        before = stream.tell()
        try:
            http_get(file.url, stream, resume_size=before, headers=_authorization(), expected_size=file.size)
            stream.flush()
            os.fsync(stream.fileno())
            return
        except (httpx2.TransportError, OSError) as error:
            # Its check of the length is an OSError without a number; the hub's refusals are OSErrors too.
            cut = isinstance(error, httpx2.TransportError) or (
                error.errno is None and not isinstance(error, HfHubHTTPError)
            )
            if not cut or stream.tell() <= before:
                raise
            if stream.tell() > file.size:
                stream.truncate(0)
                stream.seek(0)
                raise


def _authorization() -> dict[str, str]:
    """The token, if there is one; the client drops it where the hub sends it on to another host."""
    token = get_token()
    return {"authorization": f"Bearer {token}"} if token else {}


def _verify(file: _File) -> None:
    found = _checksum(file.part)
    if found != file.sha256:
        file.part.unlink()
        raise DownloadError(
            f"{file.target.name}: what came is not what the hub promised (checksum {found[:12]}…, not "
            f"{file.sha256[:12]}…); it was deleted, try again"
        )


@contextmanager
def _said(request: Fetch) -> Iterator[None]:
    """The library's and the system's errors, in words."""
    where = request.repository
    try:
        yield
    except GatedRepoError as error:
        raise DownloadError(
            f"{where}: its makers ask for your consent first: accept the licence at {constants.ENDPOINT}/{where}, make "
            f"a token at {constants.ENDPOINT}/settings/tokens and set HF_TOKEN to it"
        ) from error
    except RepositoryNotFoundError as error:
        raise DownloadError(
            f"{where}: not on {constants.ENDPOINT}, or not for everybody; check the name, or set HF_TOKEN to a token "
            "that may read it"
        ) from error
    except EntryNotFoundError as error:
        raise DownloadError(f"{where}: has no file {request.file}; check the name") from error
    except HFValidationError as error:
        raise DownloadError(f"{where}: is not a name of a repository, which is OWNER/NAME") from error
    except HfHubHTTPError as error:
        raise DownloadError(_refusal(where, error.response.status_code)) from error
    except httpx2.TransportError as error:
        raise DownloadError(
            f"{constants.ENDPOINT}: cannot be reached ({_first_line(error)}); you may be offline: what came is kept, "
            "and the same command goes on from there"
        ) from error
    except OSError as error:
        raise DownloadError(_disk(request.folder, error)) from error


def _refusal(where: str, status: int) -> str:
    if status in (401, 403):
        return f"{where}: the hub refuses ({status}); check the name, and set HF_TOKEN to a token that may read it"
    if status == 429:
        return f"{where}: the hub asks to wait (too many requests); what came is kept, try again later"
    return f"{where}: the hub answers with error {status}; what came is kept, try again later"


def _disk(folder: str, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"{folder}: no space is left on the disk; what came is kept, free some and try again"
    return f"{folder}: {error.strerror or _first_line(error)}; what came is kept, try again"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
