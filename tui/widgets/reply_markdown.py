"""The Markdown of a reply: code that can be copied, and an end that grows cheaply."""

from __future__ import annotations

from collections.abc import Iterable

from markdown_it.token import Token
from textual.await_complete import AwaitComplete
from textual.widget import Widget
from textual.widgets import Markdown
from textual.widgets.markdown import MarkdownBlock

from tui.widgets.code_block import CodeBlock, GrowingMarkdown
from tui.widgets.growing_list import GrowingBulletList, GrowingList, GrowingOrderedList, without_shown

LAST = "-last"
"""The class of the last block. A rule for ":last-child" would have all blocks styled anew with each that comes."""


class ReplyMarkdown(GrowingMarkdown):
    """Markdown whose code can be copied."""

    DEFAULT_CSS = "ReplyMarkdown { height: auto; }"
    BLOCKS = Markdown.BLOCKS | {  # so declared by Textual
        "fence": CodeBlock,
        "code_block": CodeBlock,
        "bullet_list_open": GrowingBulletList,
        "ordered_list_open": GrowingOrderedList,
    }

    _last: Widget | None = None
    _appends = 0
    """How many are under way."""

    def update(self, markdown: str) -> AwaitComplete:
        """Show this text instead."""
        return AwaitComplete(self._ending(super().update(markdown)))

    def append(self, markdown: str) -> AwaitComplete:
        """Show this text after what is there."""
        self._appends += 1
        return AwaitComplete(self._appended(super().append(markdown)))

    async def _appended(self, changed: AwaitComplete) -> None:
        try:
            await self._ending(changed)
        finally:
            self._appends -= 1

    def _parse_markdown(self, tokens: Iterable[Token]) -> Iterable[MarkdownBlock]:
        """Blocks of what is new; of a list that grows, only from its last item on."""
        last = self.children[-1] if self._appends and self.children else None
        if not isinstance(last, GrowingList):
            yield from super()._parse_markdown(tokens)
            return
        tokens, skipped = without_shown(list(tokens), last)
        for place, block in enumerate(super()._parse_markdown(tokens)):
            if place == 0 and isinstance(block, GrowingList):
                block.skipped = skipped
            yield block

    async def _ending(self, changed: AwaitComplete) -> None:
        await changed
        last = self.children[-1] if self.children else None
        if last is not self._last:
            if self._last is not None:
                self._last.remove_class(LAST)
            if last is not None:
                last.add_class(LAST)
            self._last = last
