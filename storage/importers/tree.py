"""Nodes as other programs link them -> messages in order, parents first, however broken the links are."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from storage.entries import ParsedMessage
from storage.records import MessageRole


@dataclass(frozen=True, slots=True)
class Node:
    """A node of a conversation; one without `text` and `reasoning` is passed over, its children move up."""

    id: str
    parent: str | None
    role: MessageRole
    text: str = ""
    reasoning: str = ""
    created_at: datetime | None = None
    model: str | None = None

    @property
    def kept(self) -> bool:
        """Whether it becomes a message."""
        return bool(self.text or self.reasoning)


def messages_of(nodes: Iterable[Node], active: str | None) -> tuple[tuple[ParsedMessage, ...], str | None]:
    """The messages of a conversation, and the one in which the shown branch ends.

    Siblings come in the order of their times. A parent that is not there makes a first message; a circle is cut
    open at its first node; of several nodes with one id the first counts. A reply in several nodes (code, its
    output, text) is one message, named after its last node, so that a reply that went on is a new one. Without a
    usable `active` the newest message ends the shown branch.
    """
    ordered, parents = _in_order({node.id: node for node in reversed(list(nodes))})
    anchors: dict[str | None, str | None] = {}
    for node in ordered:
        above = anchors.get(parents[node.id])
        anchors[node.id] = node.id if node.kept else above
    kept = [node for node in ordered if node.kept]
    above_of = {node.id: anchors.get(parents[node.id]) for node in kept}
    groups = _grouped(kept, above_of)
    last = {node.id: group[-1].id for group in groups for node in group}
    messages = tuple(_message(group, above_of[group[0].id], last) for group in groups)
    end = anchors.get(active)
    if end is None:
        end = kept[-1].id if kept else None
    return messages, None if end is None else last[end]


def _in_order(by_id: dict[str, Node]) -> tuple[list[Node], dict[str, str | None]]:
    """All nodes, parents first and then by time, with the parent that each really has."""
    places = {node_id: place for place, node_id in enumerate(reversed(by_id))}
    parents = {
        node.id: node.parent if node.parent in by_id and node.parent != node.id else None for node in by_id.values()
    }
    children: defaultdict[str | None, list[str]] = defaultdict(list)
    for node_id in places:
        children[parents[node_id]].append(node_id)
    ordered: list[Node] = []
    waiting: list[tuple[float, int]] = []
    ids = list(places)
    left = set(ids)
    unvisited = iter(ids)

    def wait(node_id: str, not_before: float) -> None:
        moment = by_id[node_id].created_at
        heapq.heappush(waiting, (max(moment.timestamp() if moment else not_before, not_before), places[node_id]))

    for root in children[None]:
        wait(root, float("-inf"))
    while left:
        if not waiting:  # what is left goes round in circles
            first = next(node_id for node_id in unvisited if node_id in left)
            parents[first] = None
            wait(first, float("-inf"))
        time, place = heapq.heappop(waiting)
        node = by_id[ids[place]]
        if node.id not in left:
            continue
        left.remove(node.id)
        ordered.append(node)
        for child in children[node.id]:
            wait(child, time)
    return ordered, parents


def _grouped(kept: list[Node], above_of: dict[str, str | None]) -> list[list[Node]]:
    """Nodes that make one message each: replies that follow a reply and have no node beside them."""
    below = Counter(above_of.values())
    group_of: dict[str | None, list[Node]] = {}
    groups = []
    for node in kept:
        above = above_of[node.id]
        group = group_of.get(above)
        if group is not None and node.role == group[-1].role == "assistant" and below[above] == 1:
            group.append(node)
        else:
            group = [node]
            groups.append(group)
        group_of[node.id] = group
    return groups


def _message(group: list[Node], above: str | None, last: dict[str, str]) -> ParsedMessage:
    return ParsedMessage(
        source_id=group[-1].id,
        parent=None if above is None else last[above],
        role=group[0].role,
        text="\n\n".join(node.text for node in group if node.text),
        reasoning="\n\n".join(node.reasoning for node in group if node.reasoning),
        created_at=group[0].created_at,
        model=next((node.model for node in reversed(group) if node.model), None),
    )
