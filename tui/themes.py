"""Themes beside Textual's own, for eyes that need strong contrasts: every text at least 7 to 1 (WCAG level AAA)."""

from __future__ import annotations

from textual.theme import Theme

HIGH_CONTRAST = Theme(
    name="high-contrast",
    primary="#ffd700",
    secondary="#00ffff",
    accent="#ffd700",
    foreground="#ffffff",
    background="#000000",
    surface="#101010",
    panel="#202020",
    success="#5fff5f",
    warning="#ffaf00",
    error="#ff8787",
    dark=True,
    variables={
        **{"text-muted": "#ffffff", "text-disabled": "#d0d0d0", "footer-key-foreground": "#ffd700"},
        **{"text-accent": "#ffd700", "text-success": "#5fff5f", "text-warning": "#ffaf00", "text-error": "#ff8787"},
    },
)
HIGH_CONTRAST_LIGHT = Theme(
    name="high-contrast-light",
    primary="#00308f",
    secondary="#004d40",
    accent="#00308f",
    foreground="#000000",
    background="#ffffff",
    surface="#f4f4f4",
    panel="#e8e8e8",
    success="#004d00",
    warning="#5c3a00",
    error="#8b0000",
    dark=False,
    variables={
        **{"text-muted": "#000000", "text-disabled": "#303030", "footer-key-foreground": "#00308f"},
        **{"text-accent": "#00308f", "text-success": "#004d00", "text-warning": "#5c3a00", "text-error": "#8b0000"},
    },
)
THEMES = (HIGH_CONTRAST, HIGH_CONTRAST_LIGHT)
