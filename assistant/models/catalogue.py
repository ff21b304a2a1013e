"""A few well-chosen chat models that can be downloaded, as they were at a date."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files

from pydantic import TypeAdapter

FILE = "catalogue.toml"


@dataclass(frozen=True, slots=True)
class CatalogueModel:
    """A model that can be downloaded by its name.

    Attributes:
        size: of the file, in bytes; `sha256` is its checksum.
        context: the window it was trained for, in tokens.
        gated: the hub asks for an account that has accepted the licence, and its token.
        steerable: control vectors work on the architecture.
    """

    name: str
    repository: str
    file: str
    quantization: str
    size: int
    sha256: str
    licence: str
    context: int
    gated: bool
    architecture: str
    steerable: bool
    notes: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All of them, smallest first, and the date at which sizes and checksums were looked up."""

    as_of: date
    models: tuple[CatalogueModel, ...]

    def find(self, name: str) -> CatalogueModel | None:
        """The model of a name, whatever its case."""
        return next((model for model in self.models if model.name == name.lower()), None)

    def steers(self, architecture: str) -> bool | None:
        """Whether control vectors work on an architecture; None where no model of the catalogue tells."""
        return next((model.steerable for model in self.models if model.architecture == architecture), None)


@cache
def load_catalogue() -> Catalogue:
    """The catalogue that comes with the program."""
    text = files("assistant.models").joinpath(FILE).read_text(encoding="utf-8")
    return TypeAdapter(Catalogue).validate_python(tomllib.loads(text))
