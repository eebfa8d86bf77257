"""What the commands of the steps have in common."""

from __future__ import annotations

import importlib
import time

import typer

from spacy_synthesizrr.progress import say

RUN = typer.Option("news_demo", "--run", help="Name of the run: its results are in runs/NAME.")


def do_step(name: str, run: str) -> None:
    """Do a step of a run and say how long it took.

    name (str): Of the step, and of its module.
    """
    from spacy_synthesizrr.context import Context

    started = time.monotonic()
    context = Context.open(run)
    module = importlib.import_module(f"spacy_synthesizrr.steps.{name}")
    done = module.run(context)
    say(f"{name}: done in {time.monotonic() - started:.1f} s" if done else f"{name}: nothing changed")
