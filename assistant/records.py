"""The records that the screens and the command line see, wherever they are defined."""

from assistant.engine.protocol import Finished, Loaded, Piece, Prefill
from steering.items import PreferenceItem, Source
from steering.profile import (
    MAX_ACCURACY_DROP,
    MAX_KL,
    MAX_NLL_RISE,
    MAX_REPLY_CHANGE,
    PREFERENCE_THRESHOLD,
    Form,
    Harm,
    LeftOut,
    Measure,
    Outcome,
    Phrase,
    Span,
    StrengthPoint,
)
from steering.progress import STAGES
from storage.records import Conversation, Message, MessageState, Origin, SteeringState, VectorUse, Writing

__all__ = [
    "MAX_ACCURACY_DROP",
    "MAX_KL",
    "MAX_NLL_RISE",
    "MAX_REPLY_CHANGE",
    "PREFERENCE_THRESHOLD",
    "STAGES",
    "Conversation",
    "Finished",
    "Form",
    "Harm",
    "LeftOut",
    "Loaded",
    "Measure",
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
    "VectorUse",
    "Writing",
]
