"""The line under the prompt: model, context, steering, engine."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

from assistant.profile.steering import SteeringStatus, strength_number
from assistant.records import Finished, Loaded, Prefill
from assistant.visible import sanitise
from tui.hints import with_keys

SEPARATOR = (" · ", "dim")


class StatusLine(Static):
    """What answers, how full its window is, whether it is steered, and what it does now."""

    def __init__(self) -> None:
        super().__init__(id="status")
        self._model = ""
        self._window = ""
        self._steering = ("", "")
        self._engine = ("", "")
        self._rebuild = ("", "")
        self._download = ("", "")

    def show_download(self, text: str) -> None:
        """How far a download is; empty where none runs."""
        self._download = (f"⇣ {text}" if text else "", "$text-warning")
        self._redraw()

    def show_rebuild(self, text: str) -> None:
        """How far a rebuild is; empty where none runs."""
        self._rebuild = (f"⟳ {text}" if text else "", "$text-warning")
        self._redraw()

    def show_loading(self, share: float = 0.0) -> None:
        """The engine starts; `share` of the model has been read, 0 to 1."""
        done = f" {share:.0%}" if share else "…"
        self._engine = (f"◌ loading the model{done}", "$text-warning")
        self._redraw()

    def show_loaded(self, loaded: Loaded) -> None:
        """The model is ready."""
        self._model = sanitise(loaded.name)
        self._window = f"context {loaded.context_tokens:,}"
        self.show_idle()

    def show_idle(self) -> None:
        """Nothing runs."""
        self._engine = ("● ready", "$text-success")
        self._redraw()

    def show_reading(self, prefill: Prefill) -> None:
        """A long prompt is being read."""
        self._engine = (f"◐ reading prompt {prefill.done:,}/{prefill.total:,}", "$text-warning")
        self._redraw()

    def show_writing(self) -> None:
        """A reply streams."""
        self._show_running("◉ writing · {chat.stop} stops")

    def show_thinking(self) -> None:
        """A reply streams that begins with thoughts."""
        self._show_running("◉ thinking · {chat.stop} stops")

    def _show_running(self, hint: str) -> None:
        engine = (with_keys(self, hint), "$text-accent")
        if engine != self._engine:  # told with every piece
            self._engine = engine
            self._redraw()

    def show_failed(self) -> None:
        """The engine is in no state to answer."""
        self._engine = ("✗ engine error", "$text-error")
        self._redraw()

    def show_figures(self, stats: Finished) -> None:
        """How full the window is after a reply, and what no longer fitted."""
        left_out = f", {stats.dropped_turns} oldest messages left out" if stats.dropped_turns else ""
        self._window = f"context {stats.context_used:,} of {stats.context_tokens:,}{left_out}"
        self._redraw()

    def show_steering(self, steering: SteeringStatus) -> None:
        """Whether the next reply is steered, and if not, why."""
        if steering.on:
            note = f" · {sanitise(steering.note)}" if steering.note else ""
            words = sanitise(steering.words) if steering.imported else _profile_words(steering)
            self._steering = (f"◆ steered · {words}{note}", "$text-accent")
        else:
            note = f": {sanitise(steering.note)}" if steering.note else ""
            self._steering = (f"◇ not steered{note}", "dim")
        self._redraw()

    def _redraw(self) -> None:
        parts: list[tuple[str, str]] = []
        for part in (
            self._engine,
            self._rebuild,
            self._download,
            self._steering,
            (self._window, "dim"),
            (self._model, "dim"),
        ):
            if part[0]:
                parts += [part] if not parts else [SEPARATOR, part]
        # One line whatever it says: nothing has to be laid out anew, least of all with each piece of a reply.
        self.update(Content.assemble(*parts), layout=False)


def _profile_words(steering: SteeringStatus) -> str:
    return f"v{steering.version} · strength {strength_number(steering.strength)}"
