"""The map of what is the person's can be read without any colour."""

from textual.style import Style

from tui.heatmap import LEVELS, legend


def test_every_level_has_a_lettering_of_its_own() -> None:
    styles = [Style.parse(style.replace("$accent", "red")) for style, _, _ in LEVELS]
    lettering = {(style.bold, style.underline, style.italic) for style in styles}
    assert len(lettering) == len(LEVELS)
    assert all(any(one) for one in lettering)
    assert all(name in legend().plain for _, name, _ in LEVELS)
