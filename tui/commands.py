"""The command palette: everything that a key does here, by name."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from functools import partial
from typing import Any

from textual.app import App
from textual.binding import Binding
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.dom import DOMNode

SKIPPED = {"command_palette", "app.command_palette"}


class BindingCommands(Provider):
    """Commands drawn from the bindings that are active where the palette was opened."""

    def _commands(self) -> Iterator[tuple[str, str, partial[Coroutine[Any, Any, None]]]]:
        seen: set[str] = set()
        for node, binding, enabled, _ in self.screen.active_bindings.values():
            if enabled and binding.id and binding.action not in SKIPPED and binding.id not in seen:
                seen.add(binding.id)
                yield binding.description, self._help(binding), partial(_run, self.app, node, binding)

    def _help(self, binding: Binding) -> str:
        key = self.app.get_key_display(binding)
        return f"{binding.tooltip} · {key}" if binding.tooltip else key

    async def discover(self) -> Hits:
        """All commands."""
        for name, key, command in self._commands():
            yield DiscoveryHit(name, command, help=key)

    async def search(self, query: str) -> Hits:
        """Commands whose name fits the query."""
        matcher = self.matcher(query)
        for name, key, command in self._commands():
            if (score := matcher.match(name)) > 0:
                yield Hit(score, matcher.highlight(name), command, help=key)


async def _run(app: App[object], node: DOMNode, binding: Binding) -> None:
    await app.run_action(binding.action, node)
