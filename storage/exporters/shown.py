"""The branch of a conversation that is shown."""

from __future__ import annotations

from storage.entries import ParsedConversation, ParsedMessage


def shown_branch(conversation: ParsedConversation) -> list[ParsedMessage]:
    """The messages from the first one down to the active one."""
    by_name = {message.source_id: message for message in conversation.messages}
    branch = []
    at = conversation.active
    while at is not None:
        branch.append(by_name[at])
        at = by_name[at].parent
    return branch[::-1]
