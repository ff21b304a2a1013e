"""Contrasts, computed by Textual from the colours that it makes of a theme; and that every theme can be lived with."""

from __future__ import annotations

import pytest
from textual.color import Color
from textual.theme import BUILTIN_THEMES

from tests.tui.doubles import ScriptedAssistant
from tests.tui.reading import complete, texts, write
from tests.tui.samples import app_of
from tui.themes import THEMES

TEXTS = ("foreground", "text-muted", "text-accent", "text-success", "text-warning", "text-error", "text-disabled")


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2, https://www.w3.org/TR/WCAG22/#dfn-relative-luminance)."""
    channels = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in Color.parse(colour).normalized]
    return 0.2126 * channels[0] + 0.7152 * channels[1] + 0.0722 * channels[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("name", [theme.name for theme in THEMES])
async def test_every_text_stands_out_from_every_ground(name) -> None:
    app = app_of(ScriptedAssistant())
    async with app.run_test():
        app.theme = name
        colours = app.get_css_variables()
        for text in TEXTS:
            for ground in ("background", "surface", "panel"):
                assert contrast(colours[text], colours[ground]) >= 7, (text, ground)


@pytest.mark.parametrize("name", [*BUILTIN_THEMES, *(theme.name for theme in THEMES)])
async def test_a_chat_works_in_every_theme(name, settle) -> None:
    assistant = ScriptedAssistant()
    app = app_of(assistant)
    async with app.run_test() as pilot:
        app.theme = name
        await write(pilot, "hello")
        await settle(pilot, complete(app))
        assert texts(app) == ["hello", "The **answer** is `42`."]
        assert assistant.settings.appearance.theme == name
