"""`synthesizrr local-teacher`: from an Ollama that runs to a teacher's config."""

from __future__ import annotations

from pathlib import Path

import typer

from spacy_synthesizrr.cli_errors import user_errors
from spacy_synthesizrr.progress import say

SOURCE, TARGET = Path("configs/teacher.ollama.cfg"), Path("configs/teacher.local.cfg")


@user_errors
def local_teacher(
    model: str = typer.Option("", help="The server's name for the model; the one of configs/teacher.ollama.cfg, or any, by default."),
    host: str = typer.Option("", envvar="OLLAMA_HOST", help="HOST:PORT or address of an Ollama or another chat server."),
) -> None:
    """Find a local LLM and write configs/teacher.local.cfg for it; use it with --vars.teacher local."""
    from spacy_synthesizrr.configs import read_config
    from spacy_synthesizrr.models.local import base_url, choose_model, list_models, write_teacher

    usual = str(read_config(SOURCE).get("teacher", {}).get("model", ""))
    url = base_url(host)
    names = list_models(url)
    chosen = choose_model(names, model, usual)
    write_teacher(SOURCE, TARGET, url=url, model=chosen)
    others = ", ".join(name for name in names if name != chosen)
    say(f"{TARGET}: the model {chosen} at {url}" + (f" (it also has: {others}; choose with --model)" if others else ""))
