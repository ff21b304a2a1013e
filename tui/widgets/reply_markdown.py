"""The Markdown of a reply: code that can be copied, and an end that grows cheaply."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from markdown_it.token import Token
from textual.await_complete import AwaitComplete
from textual.widget import Widget
from textual.widgets import Markdown
from textual.widgets._markdown import MarkdownBullet
from textual.widgets.markdown import MarkdownBlock

from tui.markdown import parser
from tui.widgets.code_block import CodeBlock, GrowingMarkdown
from tui.widgets.growing_list import GrowingBulletList, GrowingList, GrowingOrderedList, without_shown

LAST = "-last"
"""The class of the last block. A rule for ":last-child" would have all blocks styled anew with each that comes."""


COUNTED = {
    *("paragraph_open", "heading_open", "blockquote_open", "bullet_list_open", "ordered_list_open", "list_item_open"),
    *("fence", "code_block", "hr", "table_open"),
}
"""Tokens whose number says of which blocks a text consists."""


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

    async def end(self, text: str) -> None:
        """Show the whole of a text that has grown; drawn anew only where it has not grown into its final form."""
        self.growing = False
        if text != self.source or not self._is_final(text):
            await self.update(text)
            return
        for code in self.query(CodeBlock):
            code.colour()

    def _is_final(self, text: str) -> bool:
        """Whether the blocks that stand there are those of the whole text."""
        env: dict[str, object] = {}
        tokens = parser().parse(text, env)
        wanted = Counter(token.type for token in tokens if token.type in COUNTED)
        stands = Counter(block.name for block in self.query(MarkdownBlock) if block.name in COUNTED)
        stands["list_item_open"] = len(self.query(MarkdownBullet))
        # What a link leads to may be said after it, and cells that came one by one are not those of a whole table.
        return wanted == stands and not env.get("references") and not wanted["table_open"]

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
