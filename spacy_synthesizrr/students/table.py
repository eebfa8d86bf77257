"""The table of student and controls, as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spacy_synthesizrr.students.scores import said


def arms_table(evaluation: Mapping[str, Any]) -> str:
    """Lay out evaluation.json for a terminal.

    RETURNS (str): One line per arm: rows, steps, dev, test, macro F, or why it was not run; then what was compared.
    """
    from wasabi.tables import table

    header = ("arm", "rows", "steps", "dev", "test", "macro F")
    ran = [arm for arm in evaluation["arms"] if arm["run"]]
    rows = [(arm["name"], arm["rows"], arm["steps"], *(said(arm[name]) for name in ("dev", "test", "macro_f"))) for arm in ran]
    text = table(rows, header=header, divider=True, aligns=("l", "r", "r", "r", "r", "r"), max_col=60).strip("\n")
    return "\n".join([text, *_notes(evaluation)])


def _notes(evaluation: Mapping[str, Any]) -> list[str]:
    notes = [f"{arm['name']}: {arm['why']}" for arm in evaluation["arms"] if not arm["run"]]
    if evaluation["why"]:
        return [*notes, f"Test: {evaluation['why']}. Dev chose the models, so its scores are too high and prove nothing."]
    if evaluation["dev_in_test"]:
        notes.append(
            f"{evaluation['dev_in_test']} dev rows stand in test too: test helped to choose the models, and its scores are too high."
        )
    majority, copies = evaluation["baselines"]["majority"], evaluation["copies"]
    notes.append(
        f"dev and test: {evaluation['metric']} in percent, mean ± standard deviation over training seeds; {evaluation['rows']} test rows."
    )
    notes.append(f"Always answering '{majority['label']}' would give {100 * majority['score']:.1f}.")
    if copies["rows"]:
        notes.append(f"{copies['equal']} of {copies['rows']} rows equal their passage, that is their row in retrieve-only.")
    return notes
