"""A block of code in a reply, with its language and a place to click that copies it."""

from __future__ import annotations

from markdown_it.token import Token
from textual import events
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Markdown, Static
from textual.widgets.markdown import MarkdownBlock, MarkdownFence

from assistant.visible import one_line
from tui.markdown import language_of
from tui.text import literal

LANGUAGE_WIDTH = 20
COLOURED_WHILE_GROWING = 1500
"""Characters."""


class GrowingMarkdown(Markdown):
    """Markdown that says whether more of it will come."""

    growing = False


class CopyLine(Static):
    """The line above the code."""


class CodeBlock(MarkdownFence):
    """Code as it is; a click on the line above copies it."""

    DEFAULT_CSS = """
    CodeBlock > CopyLine { height: 1; width: 1fr; padding: 0 2; color: $text-muted; text-wrap: nowrap; }
    CodeBlock > CopyLine:hover { color: $text-accent; text-style: underline; }
    CodeBlock > Label { padding: 0 2 1 2; }
    """

    def __init__(self, markdown: Markdown, token: Token, code: str) -> None:
        self._growing = isinstance(markdown, GrowingMarkdown) and markdown.growing
        super().__init__(markdown, token, code)

    def highlight(self, code: str, language: str, ansi: bool = False, dark: bool = False) -> Content:  # type: ignore[override]
        """Coloured, unless it is long and still grows: it would be coloured anew with every piece."""
        if self._growing and len(code) > COLOURED_WHILE_GROWING:
            return Content(code)
        return super().highlight(code, language, ansi, dark)

    def colour(self) -> None:
        """Colour code that has stopped growing, where that was put off."""
        self._growing = False
        if len(self.code) > COLOURED_WHILE_GROWING:
            theme = self.app.current_theme
            ansi = self.app.native_ansi_color
            self._highlighted_code = self.highlight(self.code, self.lexer, ansi=ansi, dark=theme.dark)
            self.set_content(self._highlighted_code)

    def compose(self) -> ComposeResult:
        yield CopyLine(self._head())
        yield from super().compose()

    def _head(self) -> Content:
        language = one_line(language_of(self.lexer), LANGUAGE_WIDTH)
        return Content(" · ").join([literal(word) for word in (language, "⧉ copy") if word])

    def _copy_context(self, block: MarkdownBlock) -> None:
        before = self.lexer
        super()._copy_context(block)
        if self.lexer != before:
            self.query_one(CopyLine).update(self._head())

    def on_click(self, event: events.Click) -> None:
        if isinstance(event.widget, CopyLine):
            event.stop()
            self.app.copy_to_clipboard(self.code)
            self.notify("Code copied.", timeout=2)
