"""`synthesizrr doctor`: what is there and what is missing, on one screen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import typer

from spacy_synthesizrr.cli_errors import user_errors
from spacy_synthesizrr.progress import say

if TYPE_CHECKING:
    from spacy_synthesizrr.doctor.findings import Finding

SIGNS = {"ok": "✔", "missing": "✘", "broken": "✘", "unknown": "?"}
SPARE = "–"  # missing, and not needed by the chosen configs
WIDTH = 24


@user_errors
def doctor(
    run: str | None = typer.Option(None, "--run", help="Look at what this run needs; by default, at what project.yml names."),
    store: str | None = typer.Option(None, "--store", help="Name of configs/store.NAME.cfg, instead of the run's."),
    teacher: str | None = typer.Option(None, "--teacher", help="Name of configs/teacher.NAME.cfg, instead of the run's."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON for programs."),
) -> None:
    """Say what is there and what is missing: packages, store, teacher, disk. Costs nothing and changes nothing.

    Ends with exit code 0 when all that the chosen configs need is there, else with 1.
    """
    from dataclasses import asdict

    from spacy_synthesizrr.doctor.visit import choose, visit
    from spacy_synthesizrr.jsonl import dumps

    chosen = choose(run, store, teacher)
    found = visit(chosen)
    well = not any(each.bad for each in found)
    if as_json:
        configs = {"store": chosen.store.as_posix(), "teacher": chosen.teacher.as_posix(), "chosen_by": chosen.why}
        say(dumps({"v": 1, "ok": well, **configs, "findings": [asdict(each) for each in found]}))
    else:
        say(f"{chosen.store} and {chosen.teacher}, by {chosen.why}")
        for line in page(found):
            say(line)
    if not well:
        raise typer.Exit(1)


def page(found: Sequence[Finding]) -> Iterator[str]:
    """YIELDS (str): The lines of the screen: findings by part, cures under what needs one, the verdict."""
    for part, group in groupby(found, key=lambda each: each.part):
        yield ""
        yield part
        for each in group:
            sign = SIGNS[each.state] if each.needed or each.state in ("ok", "unknown") else SPARE
            yield f"  {sign} {each.name.ljust(WIDTH)} {each.detail}".rstrip()
            if each.cure and each.state != "ok":
                yield f"    {' ' * WIDTH} {each.cure}"
    bad = sum(each.bad for each in found)
    yield ""
    yield f"{bad} of these must be mended first." if bad else "All that these configs need is there."
