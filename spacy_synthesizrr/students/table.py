"""The table of student and controls, as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from spacy_synthesizrr.students.scores import NOTHING, said

USUAL = 0.5  # the threshold of labels for which dev chose no other
FEW = 30  # test rows below which an interval must not be taken at its word
DEV_THRESHOLD = "Each student uses its own thresholds, on test and on dev, whose very rows chose them: its dev scores are too high."
SPACY_THRESHOLD = "spaCy itself takes one threshold for all labels, so `spacy evaluate` gives other scores than these."
DEV_ALONE = "Dev chose the models, so its scores are too high and prove nothing."
NO_DEV = "There were no dev rows to choose by: each model is the last of its training."
WORSE = "On test it made the error larger: its scores put texts in order, and are no probabilities."
FEW_ROWS = "With so few test rows such intervals are too narrow."


def arms_table(evaluation: Mapping[str, Any]) -> str:
    """Lay out evaluation.json for a terminal.

    RETURNS (str): One line per arm: rows, steps, dev, test with its interval, macro F, ECE, or why it was not run; then what was
        compared.
    """
    from wasabi.tables import table

    header = ("arm", "rows", "steps", "dev", "test", "95 % interval", "macro F", "ECE")
    ran = [arm for arm in evaluation["arms"] if arm["run"]]
    rows = [
        (
            arm["name"],
            arm["rows"],
            arm["steps"],
            said(arm["dev"]),
            said(arm["test"]),
            between(arm["interval"]),
            said(arm["macro_f"]),
            said(arm["ece"]),
        )
        for arm in ran
    ]
    text = table(rows, header=header, divider=True, aligns=("l", *"rrrrrrr"), max_col=60).strip("\n")
    return "\n".join([text, *_notes(evaluation)])


def spans_table(evaluation: Mapping[str, Any]) -> str:
    """Lay out the evaluation.json of a task whose answers are spans.

    RETURNS (str): One line per arm: rows, steps, F1 on dev, F1 and exact match on test; then what was compared.
    """
    from wasabi.tables import table

    ran = [arm for arm in evaluation["arms"] if arm["run"]]
    rows = [
        (arm["name"], arm["rows"], arm["steps"], *map(said, (arm["dev"], arm["test"])), between(arm["interval"]), said(arm["em"]))
        for arm in ran
    ]
    header = ("arm", "rows", "steps", "dev F1", "test F1", "95 % interval", "exact match")
    text = table(rows, header=header, divider=True, aligns=("l", *"rrrrrr"), max_col=60).strip("\n")
    return "\n".join([text, *_span_notes(evaluation)])


def _span_notes(evaluation: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"{arm['name']}: {arm['why']}" for arm in evaluation["arms"] if not arm["run"])
    dev = had_dev(evaluation["arms"])
    if evaluation["why"]:
        yield f"Test: {evaluation['why']}. {DEV_ALONE if dev else NO_DEV}"
        return
    if not dev:
        yield NO_DEV
    yield (
        f"F1 over words and exact match in percent, as SQuAD counts them, mean ± standard deviation over training seeds; "
        f"{evaluation['rows']} test rows."
    )
    if evaluation["rows"] < FEW:
        yield FEW_ROWS
    chosen = evaluation["chosen"]
    score, em = (chosen["intervals"][name] for name in ("score", "em"))
    yield (
        f"The student (training seed {chosen['seed']}): F1 {100 * score['value']:.1f}, 95 % interval {between(score)}; "
        f"exact match {100 * em['value']:.1f}, {between(em)}."
    )


def between(interval: Mapping[str, float] | None) -> str:
    """RETURNS (str): An interval in percent, such as "68.0 to 74.5"; a dash when there is none."""
    return NOTHING if interval is None else f"{100 * interval['low']:.1f} to {100 * interval['high']:.1f}"


def had_dev(arms: Iterable[Mapping[str, Any]]) -> bool:
    """RETURNS (bool): Whether any of these arms has dev scores, by which its models were chosen."""
    return any(arm["dev"] is not None for arm in arms)


def grew(ece: Mapping[str, float]) -> bool:
    """RETURNS (bool): Whether the temperature made the calibration error larger, as far as one digit in percent shows it."""
    return round(100 * ece["after"], 1) > round(100 * ece["before"], 1)


def _temperature_note(found: Mapping[str, Any], why: str) -> str:
    """What the temperature did on test; empty when there is nothing to say."""
    if found["temperature"] == 1.0:
        return f"Its scores are as training left them. {why}" if why else ""
    before, after = (100 * found["ece"][name] for name in ("before", "after"))
    told = f"Its temperature {found['temperature']:.2f}, fitted on dev, takes its ECE on test from {before:.1f} to {after:.1f}."
    return " ".join(part for part in (told, why, WORSE if grew(found["ece"]) else "") if part)


def _chosen_notes(chosen: Mapping[str, Any]) -> list[str]:
    """What is said of the student that people take home."""
    score, found = chosen["intervals"]["score"], chosen["calibration"]
    notes = [f"The student (training seed {chosen['seed']}): {100 * score['value']:.1f}, 95 % interval {between(score)}."]
    if found and (note := _temperature_note(found, chosen["finish"].get("why", ""))):
        notes.append(note)
    if moved := {label: value for label, value in chosen["thresholds"].items() if value != USUAL}:
        told = ", ".join(f"{label} {value:.2f}" for label, value in moved.items())
        notes.append(f"Its thresholds, chosen on dev: {told}; others {USUAL}. {DEV_THRESHOLD}")
    return notes


def _notes(evaluation: Mapping[str, Any]) -> list[str]:
    notes = [f"{arm['name']}: {arm['why']}" for arm in evaluation["arms"] if not arm["run"]]
    if evaluation["why"]:
        return [*notes, f"Test: {evaluation['why']}. {DEV_ALONE if had_dev(evaluation['arms']) else NO_DEV}"]
    if not had_dev(evaluation["arms"]):
        notes.append(NO_DEV)
    if evaluation["dev_in_test"]:
        notes.append(
            f"{evaluation['dev_in_test']} dev rows stand in test too: test helped to choose the models, and its scores are too high."
        )
    majority, copies = evaluation["baselines"]["majority"], evaluation["copies"]
    notes.append(
        f"dev and test: {evaluation['metric']} in percent, mean ± standard deviation over training seeds; {evaluation['rows']} test rows."
    )
    notes.append(
        "95 % interval: of the mean, with other test rows of the same kind (bootstrap). ECE: how far scores are from shares of rights."
    )
    if evaluation["rows"] < FEW:
        notes.append(FEW_ROWS)
    notes += _chosen_notes(evaluation["chosen"])
    notes.append(f"Always answering '{majority['label']}' would give {100 * majority['score']:.1f}.")
    if copies["rows"]:
        notes.append(f"{copies['equal']} of {copies['rows']} rows equal their passage, that is their row in retrieve-only.")
    return notes


def speed_line(speed: Mapping[str, Any]) -> str:
    """RETURNS (str): How fast and large the student is, on one line."""
    return (
        f"The student takes {speed['p50_ms']:.2f} ms for one text (95 %: under {speed['p95_ms']:.2f} ms) and reads "
        f"{speed['docs_per_second']:,.0f} texts a second in batches, here and now; {speed['bytes'] / 1e6:.1f} MB."
    )


def comparison_table(comparison: Mapping[str, Any]) -> str:
    """Lay out compare.json for a terminal.

    RETURNS (str): One line per kind of student and arm: rows, steps, dev, test; then what was compared.
    """
    from wasabi.tables import table

    rows = [
        (one["student"], arm["name"], arm["rows"], arm["steps"], said(arm["dev"]), said(arm["test"]), f"{one['bytes'] / 1e6:.1f}")
        for one in comparison["students"]
        for arm in one["arms"]
        if arm["run"]
    ]
    header = ("student", "arm", "rows", "steps", "dev", "test", "MB")
    text = table(rows, header=header, divider=True, aligns=("l", "l", *"rrrrr"), max_col=60).strip("\n")
    notes = [f"{arm['name']}: {arm['why']}" for arm in comparison["students"][0]["arms"] if not arm["run"]]
    by_dev = had_dev(arm for one in comparison["students"] for arm in one["arms"])
    if comparison["rows"]:
        about = f"{comparison['metric']} in percent, mean ± standard deviation over training seeds"
        chose = "Dev chose the models: compare on test." if by_dev else NO_DEV
        return "\n".join([text, *notes, f"dev and test: {about}; {comparison['rows']} test rows. {chose}"])
    return "\n".join([text, *notes, f"There are no test rows. {DEV_ALONE if by_dev else NO_DEV}"])
