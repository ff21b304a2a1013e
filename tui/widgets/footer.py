"""The line under a message: rating, branch, state, speed, steering."""

from __future__ import annotations

from textual.content import Content

from assistant.figures import count
from assistant.profile.steering import steering_words
from assistant.records import Message, MessageState, Origin
from assistant.visible import sanitise

RATINGS = {1: ("▲ liked", "$text-success"), -1: ("▼ disliked", "$text-error")}
STATES = {
    MessageState.STREAMING: ("… writing", "$text-accent"),
    MessageState.STOPPED: ("■ stopped", "$text-warning"),
    MessageState.FAILED: ("✗ failed", "$text-error"),
}
ORIGINS = {Origin.EDITED: "✎ your version", Origin.IMPORTED: "imported"}

CAN_GO_ON = (MessageState.STOPPED, MessageState.FAILED)


def message_footer(message: Message, goes_on: str = "") -> Content:
    """What is known about a message, and `goes_on` where it can go on; empty where there is nothing to say."""
    parts: list[tuple[str, str]] = []
    if message.rating in RATINGS:
        parts.append(RATINGS[message.rating])
    if message.state in STATES:
        parts.append(STATES[message.state])
    if goes_on and message.state in CAN_GO_ON:
        parts.append((goes_on, ""))
    if message.origin in ORIGINS:
        parts.append((ORIGINS[message.origin], ""))
    if message.sibling_count > 1:
        parts.append((f"‹ {message.sibling_index + 1}/{message.sibling_count} ›", ""))
    if message.role == "assistant" and message.origin is Origin.GENERATED:
        parts += [(part, "") for part in (*_speed(message), _steering(message)) if part]
    return Content(" · ").join(Content.styled(text, style) if style else Content(text) for text, style in parts)


def _steering(message: Message) -> str:
    words = steering_words(message.profile_version, message.strength, message.vectors)
    return f"◆ steered {sanitise(words)}" if words else "not steered"


def _speed(message: Message) -> list[str]:
    stats = message.stats or {}
    tokens = stats.get("reply_tokens")
    if not isinstance(tokens, int) or not tokens:
        return []
    told = ["cut at the longest reply"] if stats.get("reason") == "length" else []
    told += ["context full"] if stats.get("reason") == "context" else []
    if dropped := stats.get("dropped_turns"):
        told.append(f"without the {count(dropped, 'oldest message')}")
    told.append(count(tokens, "token"))
    seconds, first = stats.get("seconds"), stats.get("first_token_seconds")
    if isinstance(seconds, int | float) and isinstance(first, int | float) and seconds > first and tokens > 1:
        told += [f"{(tokens - 1) / (seconds - first):.0f} tokens/s", f"first after {first:.1f} s"]
    used, window = stats.get("context_used"), stats.get("context_tokens")
    if isinstance(used, int) and isinstance(window, int):
        told.append(f"context {used:,} of {window:,}")
    return told
