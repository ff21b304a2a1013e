"""Profiles made by hand, for tests that need one without the minutes of a rebuild."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from assistant.app import Assistant
from assistant.profile.version import Profile
from assistant.records import Harm, Outcome, Phrase
from steering.control_vector import ControlVector

OUTCOME = Outcome(
    items=8,
    held_back=2,
    left_out=(),
    tokens_scored=400,
    tokens_cached=0,
    preference_tokens=40,
    phrases=(Phrase("aye", 3.5, 2, ("writing:1",)),),
    description="Says aye.",
    description_gain=0.0,
    form="vector",
    method="steerx-optimized",
    layers=(1,),
    dose=0.1,
    nll_unsteered=3.0,
    nll_steered=2.9,
    gain_nats_per_token=0.1,
    gain_interval=(0.05, 0.15),
    gain_random=0.0,
    harm=Harm(0.1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    kl_neutral=0.1,
    curve=(),
    safe_strength=1.25,
    recommended=True,
    reason="",
    seconds={"model": 1.0},
)


def vector_bytes(folder: Path, *, seed: int = 5, length: float = 3.0) -> bytes:
    """A control vector for block 1 of the tiny model, as the bytes of a file."""
    path = folder / f"made-{seed}.gguf"
    direction = np.random.default_rng(seed).standard_normal(64).astype(np.float32) * length
    ControlVector({1: direction}, "llama", {"method": "made"}).write_gguf(path)
    return path.read_bytes()


def add_profile(
    assistant: Assistant,
    vector: bytes | None,
    *,
    fingerprint: str | None = None,
    learned: tuple[str, ...] = (),
    inputs_hash: str = "made by hand",
    **changes,
) -> Profile:
    """Store a version as a rebuild does, not in use yet."""
    made = replace(OUTCOME, **changes)
    record = assistant.store.profiles.add(
        model_fingerprint=assistant.model.fingerprint() if fingerprint is None else fingerprint,
        inputs_hash=inputs_hash,
        outcome=asdict(made),
        description=made.description,
        vector=vector,
        item_hashes=dict.fromkeys(learned, "hash"),
    )
    return assistant.profiles.get(record.version)
