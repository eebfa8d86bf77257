"""Who keeps the answers of a model."""

from __future__ import annotations

from typing import Any

from spacy_synthesizrr.models.responses import Remembering, ResponseStore


def remember(model: Any, store: ResponseStore, *, identity: str = "", scope: str = "", stage: str = "", round: int = 0) -> Any:
    """Give a model a memory.

    A model that keeps its answers itself (`owns_store = True`: it must write each one the moment it arrives, which is long
    before it may hand it on in order) gets the store; any other model is wrapped in `Remembering`.

    model (Callable): Any spacy-llm model.
    store (ResponseStore): Where answers are kept.
    identity (str): See `Remembering`; a model that owns its store has its own.
    scope (str), stage (str), round (int): On whose account the model spends: the run, the step and arm, the turn of the loop.
    RETURNS (Callable): The model to ask.
    """
    if getattr(model, "owns_store", False):
        model.remember(store, scope=scope, stage=stage, round=round)
        return model
    return Remembering(model, store, identity)
