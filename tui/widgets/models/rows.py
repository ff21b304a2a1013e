"""The lines of the models screen: what is here, what is coming, what could be downloaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from assistant.models.advice import Advice
from assistant.models.catalogue import load_catalogue
from assistant.models.local import OURS, ModelInfo
from assistant.models.own_folder import Unfinished, part_file
from tui.figures import size


@dataclass(frozen=True, slots=True)
class Here:
    """A model file at hand."""

    model: ModelInfo
    in_use: bool


@dataclass(frozen=True, slots=True)
class Coming:
    """What came of a download that was interrupted, or that runs now; `size` in bytes so far."""

    name: str
    size: int
    wanted: str
    left: Unfinished


@dataclass(frozen=True, slots=True)
class Offered:
    """A model of the catalogue that is not here."""

    advice: Advice


Row = Here | Coming | Offered
Cells = tuple[str, str, str, str, str]


def rows_of(
    here: Sequence[ModelInfo], in_use: Path | None, unfinished: Sequence[Unfinished], advice: Sequence[Advice]
) -> list[Row]:
    """All lines in order: what is at hand, what is coming, what the catalogue offers besides."""
    ours = {model.path.name for model in here if model.source == OURS}
    coming = {left.path.name for left in unfinished}
    return [
        *(Here(model, model.path.resolve() == in_use) for model in here),
        *(Coming(left.name, left.size, left.wanted, left) for left in unfinished),
        *(
            Offered(one)
            for one in advice
            if one.model.file not in ours and part_file(one.model.file, one.model.sha256) not in coming
        ),
    ]


def cells(row: Row) -> Cells:
    """Mark, name, size, context, and a few words."""
    match row:
        case Here(model=model, in_use=in_use):
            return "●" if in_use else " ", model.name, size(model.size), _window(model), _state(row)
        case Coming():
            return "⇣", row.name, size(row.size), "", "unfinished download"
        case Offered(advice=advice):
            one = advice.model
            mark = "★" if advice.recommended else "+" if advice.fits else "-"
            return mark, one.name, size(one.size), f"{one.context // 1024}k", _verdict(advice)


def _state(row: Here) -> str:
    model = row.model
    if model.header is None:
        return "✗ cannot be used"
    where = "" if model.source == OURS else f"{model.source}, "
    steers = {True: "steerable", False: "not steerable", None: "steering not tried"}
    return f"✓ {where}{steers[load_catalogue().steers(model.header.architecture)]}"


def _window(model: ModelInfo) -> str:
    return f"{model.header.context_length // 1024}k" if model.header and model.header.context_length else ""


def _verdict(advice: Advice) -> str:
    if advice.recommended:
        return "recommended for this machine"
    return "fits this machine" if advice.fits else advice.why.split(":")[0]


def details(row: Row, keys: Mapping[str, str]) -> str:
    """What there is to say of a line, in full, and what its keys do."""
    match row:
        case Here(model=model):
            return _details_here(row, model, keys)
        case Coming():
            goes_on = "enter goes on where it stopped" if row.wanted else "name its repository below to go on"
            return f"{row.name}: {size(row.size)} have come.\n{goes_on}; {keys['models.remove']} deletes what came."
        case Offered(advice=advice):
            one = advice.model
            why = advice.why or f"needs {size(advice.needs)} of memory"
            token = " Needs a token of the hub." if one.gated else ""
            what = f"{one.repository}, {one.quantization}, {one.licence}. {one.notes}{token}"
            return f"{what} {why[:1].upper()}{why[1:]}.\nenter downloads {size(one.size)}."


def _details_here(row: Here, model: ModelInfo, keys: Mapping[str, str]) -> str:
    if model.header is None:
        return model.problem
    header = model.header
    what = f"{header.name}, {header.architecture}, {header.quantization or 'quantization not told'}, {model.path}"
    answers = "It answers now" if row.in_use else "enter lets it answer"
    removes = f"; {keys['models.remove']} removes it" if model.source == OURS else ""
    return f"{what}\n{answers}; {keys['models.check']} checks it{removes}."
