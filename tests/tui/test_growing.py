"""A reply that grew piece by piece stands as if it had been drawn at once."""

import random

import pytest
from textual.app import App, ComposeResult
from textual.containers import VerticalScroll
from textual.visual import Visual
from textual.widget import Widget
from textual.widgets import Label, Static
from textual.widgets._markdown import MarkdownBullet

from tui.markdown import parser
from tui.widgets.growing_list import GrowingList
from tui.widgets.reply_markdown import LAST, ReplyMarkdown

TEXTS = {
    "bullets": "Before\n\n- one\n- two **bold**\n- three\n\nAfter\n",
    "numbers past nine": "".join(f"{n}. item {n}\n" for n in range(1, 13)),
    "numbers from 98": "".join(f"{n}. item {n}\n" for n in range(98, 103)),
    "nested": "- one\n  - one a\n  - one b\n    1. deep\n    2. deeper\n  - one c\n- two\n  - two a\n",
    "loose": "- one\n\n- two\n\n  a second paragraph\n\n- three\n",
    "code in an item": "- run\n  ```sh\n  make run\n  make test\n  ```\n- look\n",
    "quotation in an item": "- he said\n  > a line\n  > another\n- and left\n",
    "table in an item": "- figures\n\n  | a | b |\n  |---|---|\n  | 1 | 2 |\n  | 3 | 4 |\n- done\n",
    "a heading after an item's text": "- one\n  ---\n- two\n",
    "two lists": "- a\n- b\n\n1. c\n2. d\n\n* e\n* f\n",
    "list and rule": "- a\n- b\n\n---\n\n- c\n",
    "lazy lines": "- one that\ngoes on\n- two that\n  goes on\n",
    "empty items": "-\n- b\n-\n",
}

MENDED = {
    "numbers after code": "1. run\n   ```sh\n   make run\n   ```\n2. look\n3. go\n",
    "a link told later": "See [this][1].\n\nAnd more.\n\n[1]: https://example.org\n",
    "a table": "| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n",
}
"""Texts that stand otherwise while they grow."""


class Shown(App[None]):
    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield ReplyMarkdown(parser_factory=parser, open_links=False)


def drawn(widget: Widget) -> list[object]:
    """What stands there: kinds, texts and places, from the outside in."""
    text = ""
    if isinstance(widget, Static | Label):
        text = str(widget.content if not isinstance(widget.content, Visual) else widget.render())
    symbol = widget.symbol if isinstance(widget, MarkdownBullet) else ""
    return [type(widget).__name__, text, symbol, widget.region, LAST in widget.classes, [*map(drawn, widget.children)]]


def in_pieces(text: str, seed: int) -> list[str]:
    chance, pieces, at = random.Random(seed), [], 0
    while at < len(text):
        end = at + chance.choice([1, 2, 3, 5, 8, 20])
        pieces.append(text[at:end])
        at = end
    return pieces


@pytest.mark.parametrize("name", TEXTS)
async def test_pieces_add_up_to_the_whole(name: str) -> None:
    text = TEXTS[name]
    app = Shown()
    async with app.run_test(size=(60, 40)) as pilot:
        markdown = app.query_one(ReplyMarkdown)
        await markdown.update(text)
        await pilot.pause()
        whole = drawn(markdown)
        for seed in range(8):
            await markdown.update("")
            for piece in in_pieces(text, seed):
                await markdown.append(piece)
            await pilot.pause()
            assert drawn(markdown) == whole, (name, seed)


@pytest.mark.parametrize("name", [*TEXTS, *MENDED])
async def test_the_end_mends_what_grew_otherwise(name: str) -> None:
    text = (TEXTS | MENDED)[name]
    app = Shown()
    async with app.run_test(size=(60, 40)) as pilot:
        markdown = app.query_one(ReplyMarkdown)
        await markdown.update(text)
        await pilot.pause()
        whole = drawn(markdown)
        for seed in range(4):
            await markdown.update("")
            markdown.growing = True
            for piece in in_pieces(text, seed):
                await markdown.append(piece)
            first = markdown.children[0]
            await markdown.end(text)
            await pilot.pause()
            assert drawn(markdown) == whole, (name, seed)
            if name in TEXTS and "table" not in name:
                assert markdown.children[0] is first


async def test_what_stands_above_the_end_of_a_list_is_left_alone() -> None:
    app = Shown()
    async with app.run_test() as pilot:
        markdown = app.query_one(ReplyMarkdown)
        await markdown.append("".join(f"- item {n}\n" for n in range(30)))
        grown = app.query_one(GrowingList)
        before = list(grown.children)
        await markdown.append("- item 30\n- item 31\n")
        await pilot.pause()
        assert app.query_one(GrowingList) is grown
        assert list(grown.children)[:30] == before
        assert len(grown.children) == 32
