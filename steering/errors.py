"""One base for what a rebuild can say went wrong; the message is what the user reads."""

from __future__ import annotations


class SteeringError(Exception):
    """Something about the texts, the model or the vector; the message says what and what to do."""


class TooFewItemsError(SteeringError):
    """There is too little to learn from."""


class EstimatorError(SteeringError):
    """The estimator cannot be loaded or gives no usable numbers."""


class ParityError(SteeringError):
    """The estimator and the chat model are not the same network."""
