"""Lists in a reply that grow at their end, without drawing anew what stands above it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from markdown_it.token import Token
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets._markdown import (
    MarkdownBullet,
    MarkdownList,
    MarkdownListItem,
    MarkdownParagraph,
)
from textual.widgets.markdown import MarkdownBlock, MarkdownFence

IN_PLACE = (MarkdownParagraph, MarkdownFence, MarkdownList)
"""Blocks that can take over what another of their kind says."""


class GrowingList(MarkdownList):
    """A list whose last item may grow, and after which others may come.

    `skipped` items at its beginning are shown by the list that takes this one over, and are not in this one.
    """

    DEFAULT_CSS = """
    GrowingList { margin: 0 0 1 0; padding: 0; }
    GrowingList Horizontal { height: auto; width: 1fr; }
    GrowingList Vertical { height: auto; width: 1fr; }
    """

    skipped = 0

    def symbol(self, number: int, of: int, item: MarkdownListItem) -> str:
        """What stands before an item: its number, counted from 0, and of how many it is one."""
        raise NotImplementedError

    def make_room(self, number: int) -> None:
        """Other items come after so many."""

    def compose(self) -> ComposeResult:
        yield from self._rows(0, _items(self))
        self._blocks.clear()

    def _rows(self, first: int, items: Sequence[MarkdownListItem]) -> list[Widget]:
        rows: list[Widget] = []
        for number, item in enumerate(items, first):
            bullet = MarkdownBullet()
            bullet.symbol = self.symbol(number, first + len(items), item)
            rows.append(Horizontal(bullet, Vertical(*item._blocks)))
        return rows

    async def _update_from_block(self, block: MarkdownBlock) -> None:
        """Take over a later state of this list."""
        last = len(self.children) - 1
        if type(block) is not type(self) or not isinstance(block, GrowingList) or last < block.skipped:
            await self._give_way(block)
            return
        items = _items(block)[last - block.skipped :]
        if last < 0 or not items:
            await self._give_way(block)
            return
        self._copy_context(block)
        await _grow(self.children[-1].query_children(Vertical).first(), items[0]._blocks)
        self.make_room(last + len(items))
        await self.mount_all(self._rows(last + 1, items[1:]))

    async def _give_way(self, block: MarkdownBlock) -> None:
        # Textual would put it at the end of the reply, wherever this list is.
        if isinstance(self.parent, Widget):
            await self.parent.mount(block, after=self)
        await self.remove()


class GrowingBulletList(GrowingList):
    """A list with bullets."""

    def symbol(self, number: int, of: int, item: MarkdownListItem) -> str:
        return item.bullet


class GrowingOrderedList(GrowingList):
    """A list with numbers, all as wide as the last."""

    def symbol(self, number: int, of: int, item: MarkdownListItem) -> str:
        return self._number(number).rjust(self._width(of))

    def make_room(self, number: int) -> None:
        if self._width(number) != self._width(len(self.children)):
            for row in self.query_children(Horizontal):
                bullet = row.query_children(MarkdownBullet).first()
                bullet.symbol = bullet.symbol.strip().rjust(self._width(number) - 1) + " "
                bullet.refresh(layout=True)

    def _number(self, number: int) -> str:
        return f"{int(self._token.attrs.get('start', 1)) + number}. "

    def _width(self, of: int) -> int:
        return len(self._number(of - 1)) + 1


def without_shown(tokens: Sequence[Token], shown: MarkdownBlock) -> tuple[Sequence[Token], int]:
    """Tokens of a later state of a list without the items above its last one, and how many these are.

    Args:
        tokens: Of Markdown that begins with what `shown` shows.
    """
    last = len(shown.children) - 1
    if not isinstance(shown, GrowingList) or last < 1 or not tokens or tokens[0].type != shown._token.type:
        return tokens, 0
    inside = takewhile(lambda numbered: numbered[0] == 0 or numbered[1].level > 0, enumerate(tokens))
    ends = [place for place, token in inside if token.level == 1 and token.type == "list_item_close"]
    if len(ends) <= last:
        return tokens, 0
    return [tokens[0], *tokens[ends[last - 1] + 1 :]], last


def _items(block: MarkdownBlock) -> list[MarkdownListItem]:
    return [one for one in block._blocks if isinstance(one, MarkdownListItem)]


async def _grow(item: Vertical, blocks: Sequence[MarkdownBlock]) -> None:
    """Show these blocks in an item that shows an earlier state of them: all but its last are as they were."""
    shown = [child for child in item.children if isinstance(child, MarkdownBlock)]
    kept = min(max(0, len(shown) - 1), len(blocks))
    for old in shown[kept:]:
        new = blocks[kept] if kept < len(blocks) else None
        if new is not None and type(new) is type(old) and isinstance(old, IN_PLACE):
            await old._update_from_block(new)
            kept += 1
        else:
            await old.remove()
    await item.mount_all(blocks[kept:])
