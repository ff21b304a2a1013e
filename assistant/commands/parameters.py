"""What arguments and options are read as, where click lets through what means nothing."""

from __future__ import annotations

import math
import os
from typing import Any

import click


class Folder(click.Path):
    """A folder that need not be there; an empty name would be the current one without a word."""

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        """The folder's path."""
        if value == "":
            self.fail("the name is empty; name a folder, `.` for the current one", param, ctx)
        return super().convert(value, param, ctx)


class Number(click.FloatRange):
    """A number within bounds; `nan`, which no comparison keeps out, is none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


def not_blank(context: click.Context, parameter: click.Parameter, value: str) -> str:
    """Callback: refuse a name without a character, which elsewhere means the default."""
    if not value.strip():
        raise click.BadParameter("the name is empty", context, parameter)
    return value
