"""The command line of the bridge: each body is a call to a plain function of `commands`."""

from __future__ import annotations

import time

import typer

from spacy_synthesizrr.cli_errors import user_errors
from spacy_synthesizrr.cli_steps import RUN
from spacy_synthesizrr.progress import say

HELP = "Review of synthetic rows by people, in Argilla or in a file: push, wait for answers, pull, measure agreement."
app = typer.Typer(name="argilla-bridge", help=HELP, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def _add_step(name: str, about: str) -> None:
    @user_errors
    def command(run: str = RUN) -> None:
        from argilla_bridge import commands
        from spacy_synthesizrr.context import Context

        started = time.monotonic()
        done = getattr(commands, name)(Context.open(run))
        say(f"{name}: done in {time.monotonic() - started:.1f} s" if done else f"{name}: nothing changed")

    app.command(name=name, help=about)(command)


for _name, _about in {
    "push": "Put the accepted rows before the people who review them; only what is new or changed is sent.",
    "pull": "Read the votes given so far and decide each row by them.",
    "agreement": "Measure how far people agree with each other and with the suggestions.",
}.items():
    _add_step(_name, _about)


def main() -> None:
    """Run the command line."""
    app()
