"""How the model of the moment draws: what was set for it or for all models, else what its family likes."""

from __future__ import annotations

from assistant.errors import ModelError
from assistant.models.active import ActiveModel
from assistant.models.families import family_sampling
from assistant.settings import SamplingSettings, Settings


def model_key(model: ActiveModel) -> str:
    """The name under which the settings keep what was set for this model.

    Raises: ModelError: there is no model.
    """
    return model.path().name


def sampling_in_use(settings: Settings, model: ActiveModel) -> SamplingSettings:
    """The sampling of the model of the moment; where there is none, what was set for all."""
    try:
        return settings.sampling_of(model_key(model), family_sampling(model.header()))
    except ModelError:
        return settings.sampling


def sampling_defaults(settings: Settings, model: ActiveModel) -> SamplingSettings:
    """What would be in use if nothing were set for this very model."""
    return sampling_in_use(settings.model_copy(update={"models": {}}), model)
