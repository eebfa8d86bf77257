"""`synthesizrr loop`: a student's errors become new rows, round after round."""

from __future__ import annotations

import typer

from spacy_synthesizrr.cli_errors import user_errors
from spacy_synthesizrr.cli_steps import RUN
from spacy_synthesizrr.context import config_name


@user_errors
def loop(
    run: str = RUN,
    loop: str = typer.Option("retrieval", help="Name of configs/loop.NAME.cfg, or a path that ends in .cfg."),
    name: str = typer.Option("", help="Folder of the loop under runs/; RUN-LOOP by default."),
    additions: list[str] = typer.Option([], help="A loop or run whose rows are added to the starting rows; may be given again."),  # noqa: B008
    dry_run: bool = typer.Option(
        False, "--dry-run", help="Train the first student, plan the first round, say what all will take; ask nothing."
    ),
) -> None:
    """Extrapolate a student's errors, curate, add, retrain; with controls at equal calls, rows and steps (resumable)."""
    from dataclasses import replace

    from spacy_synthesizrr.context import Context, config_file
    from spacy_synthesizrr.loop.running import run_loop
    from spacy_synthesizrr.loop.settings import read_loop_settings

    settings = read_loop_settings(config_file("loop", loop))
    if additions:
        start = settings.start.model_copy(update={"additions": (*settings.start.additions, *additions)})
        settings = replace(settings, start=start)
    ctx = Context.open(run)
    run_loop(ctx, settings, name=name or f"{ctx.folder.path.name}-{config_name(loop).removeprefix('loop.')}", dry_run=dry_run)
