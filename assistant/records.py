"""The records that the screens and the command line see, wherever they are defined."""

from assistant.engine.protocol import Finished, Loaded, Piece, Prefill
from steering.items import PreferenceItem, Source
from steering.profile import Form, Harm, LeftOut, Outcome, Phrase, Span, StrengthPoint
from storage.records import Conversation, Message, MessageState, Origin, SteeringState, Writing

__all__ = [
    "Conversation",
    "Finished",
    "Form",
    "Harm",
    "LeftOut",
    "Loaded",
    "Message",
    "MessageState",
    "Origin",
    "Outcome",
    "Phrase",
    "Piece",
    "PreferenceItem",
    "Prefill",
    "Source",
    "Span",
    "SteeringState",
    "StrengthPoint",
    "Writing",
]
