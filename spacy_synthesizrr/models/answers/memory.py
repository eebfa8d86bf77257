"""Who keeps the answers of a model."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from spacy_synthesizrr.models.answers.responses import Remembering, ResponseStore

logger = logging.getLogger("spacy_synthesizrr")


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


def named_store(path: str) -> ResponseStore:
    """Open the response store that a config names. A relative path counts from where one stands, so a new file is told of: the
    same config loaded elsewhere would pay for everything again.
    """
    place = Path(path).expanduser()
    if not place.is_absolute() and not place.exists():
        logger.warning(
            "New response store: %s. Answers of an earlier one are found only from the folder where it was made.", place.resolve()
        )
    return ResponseStore(place)
