"""How a command of the command line ends when something goes wrong that a user can cure."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import typer

from spacy_synthesizrr.errors import EXIT_CODE, SynthesizrrError


def user_errors(command: Callable[..., None]) -> Callable[..., None]:
    """Turn errors that a user can cure into one line on stderr and the error's exit code."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except SynthesizrrError as error:
            typer.secho(f"✘ {error}", err=True, fg=typer.colors.RED)
            raise typer.Exit(error.exit_code) from None
        except OSError as error:  # a full disk, a folder that may not be written, a file that went away
            where = f"{error.filename}: " if error.filename else ""
            said = error.strerror or " ".join(str(error).split())
            typer.secho(f"✘ {where}{said}. Nothing is lost: mend this and run the same command again.", err=True, fg=typer.colors.RED)
            raise typer.Exit(EXIT_CODE) from None

    return wrapped
