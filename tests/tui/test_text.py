"""Text of models and people is never parsed as markup."""

from hypothesis import given
from hypothesis import strategies as st

from assistant.visible import sanitise
from tui.text import literal

ANY_TEXT = st.text(st.characters(exclude_categories=[]))
"""All of Unicode, surrogates included."""


@given(ANY_TEXT)
def test_markup_is_never_parsed(text: str) -> None:
    assert literal("[bold]" + text).plain == sanitise("[bold]" + text)
