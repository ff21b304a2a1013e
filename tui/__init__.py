"""The screens (Textual). Knows only the `assistant` package."""
