"""The tables about the synthetic rows: where they come from, what was turned away, what they are like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from spacy_synthesizrr.report.view import BROWSER, Cell, Link, Table, decimals, percent, plain
from spacy_synthesizrr.students.arms import MAIN

HYPHEN = "\N{NON-BREAKING HYPHEN}"
MEASURES = {**{f"distinct_{n}": f"distinct{HYPHEN}{n}" for n in (1, 2, 3)}, "compression_ratio": "compression ratio"}
ALL, FAILED = "all", "failed: "
FUNNEL_STAGES = ("asked", "planned", "reserve", "sent")
MOVED = {"relabelled_out": "to other labels", "relabelled_in": "from other labels"}


def browsed(count: int, **choose: str) -> Cell:
    """RETURNS (Cell): A count that leads to the rows behind it in the browser of the page; none leads nowhere.

    choose (str): label, reason, status; empty ones are left open.
    """
    chosen = (("arm", MAIN), *((name, value) for name, value in choose.items() if value))
    return Link(count, BROWSER, chosen) if count else count


def ends(counts: Mapping[str, Any]) -> dict[str, int]:
    """What became of the candidates of one label in the funnel: accepted, and every reason for which others were not.

    counts (Mapping): One label's part of funnel.json.
    """
    found = Counter({"accepted": counts["accepted"]})
    for reason, count in counts["failed"].items():
        found[f"{FAILED}{reason}"] += count
    for reasons in counts["rejected"].values():
        found.update(reasons)
    return dict(found)


def funnel_table(funnel: Mapping[str, Any]) -> Table:
    """Stages and reasons per label, with a total; where labels were changed, the rows that left and joined each: a row is sent under the
    label that it was asked for, and accepted or turned away under the one that it has.
    """
    moved = MOVED if any(counts.get("relabelled_out") for counts in funnel["labels"].values()) else {}
    reasons = [name for name in ends(funnel["total"]) if name != "accepted"]

    def row(name: str, counts: Mapping[str, Any]) -> tuple[Cell, ...]:
        found = ends(counts)
        return (
            name,
            *(counts[stage] for stage in FUNNEL_STAGES),
            *(counts[which] for which in moved),
            *(_linked(name, reason, found.get(reason, 0)) for reason in reasons),
            _linked(name, "", counts["accepted"]),
            counts["short"],
        )

    def _linked(name: str, reason: str, count: int) -> Cell:
        return browsed(count, label="" if name == ALL else name, reason=reason.removeprefix(FAILED), status="" if reason else "accepted")

    head = ("label", *FUNNEL_STAGES, *moved.values(), *map(plain, reasons), "accepted", "short by")
    rows = tuple(row(label, counts) for label, counts in funnel["labels"].items())
    return Table("Funnel per label", head, rows, foot=row(ALL, funnel["total"]))


def funnel_sentences(funnel: Mapping[str, Any]) -> Iterator[str]:
    """YIELDS (str): How the counts add up where labels were changed."""
    if count := funnel["total"].get("relabelled_out"):
        yield (
            f"{count:,} rows were given another label by a filter. Sent, less those that went to other labels, and with those that came "
            "from others, makes all that was turned away, failed or was accepted."
        )


def reasons_table(funnel: Mapping[str, Any]) -> Table | None:
    """Why candidates were turned away, by which step."""
    total = funnel["total"]
    found = [(f"{FAILED}{reason}", "synthesize", count) for reason, count in total["failed"].items()]
    found += [(reason, step, count) for step, reasons in total["rejected"].items() for reason, count in reasons.items()]
    ranked = sorted(found, key=lambda item: (-item[2], item[0]))
    rows = tuple((plain(reason), step, browsed(count, reason=reason.removeprefix(FAILED))) for reason, step, count in ranked)
    return Table("Why candidates were turned away", ("reason", "step", "rows"), rows, words=(1,)) if rows else None


def sourcing_table(plan: Mapping[str, Any]) -> Table:
    """Hits of each label, and why hits did not become rows of the plan."""
    labels = plan["labels"]
    reasons = [
        reason for reason in next(iter(labels.values()))["turned_away"] if any(one["turned_away"][reason] for one in labels.values())
    ]
    rows = tuple(
        (
            key,
            one["seeds"],
            one["hits"],
            *(one["turned_away"][reason] for reason in reasons),
            one["planned"],
            one["reserve"],
            one["missing"],
        )
        for key, one in labels.items()
    )
    return Table(
        "Hits per label, and why some did not become rows of the plan",
        ("label", "seeds", "hits", *map(plain, reasons), "planned", "reserve", "missing"),
        rows,
    )


def plan_remarks(plan: Mapping[str, Any]) -> list[str]:
    """RETURNS (List[str]): What `plan` said, without the labels that lack rows: table and funnel have those."""
    return [remark for remark in plan["remarks"] if not any(remark.startswith(f"Label '{key}': ") for key in plan["labels"])]


def leak_sentences(numbers: Mapping[str, Any]) -> Iterator[str]:
    """YIELDS (str): What the leak gate looked for and what it found."""
    asked = (numbers["plan"].get("settings") or {}).get("leaks", {})
    if asked:
        near = numbers["plan"]["leaks"]["threshold"]
        closer = "" if near is None else f", or have a similarity to one above {decimals(near, 2)},"
        yield (
            f"Passages that equal a dev or test text, share {asked['ngram']} words in a row with one{closer} never enter the plan. "
            "Shared words are looked for between seeds, dev and test too."
        )
    titles = {
        "passages": "Passages kept out of the plan",
        "seeds": "Seeds that share text with dev or test",
        "dev": "Dev rows that share text with test",
    }
    for what, title in titles.items():
        counts = numbers["leaks"]["counts"].get(what, {})
        reasons = ", ".join(f"{count:,} by {reason}" for reason, count in counts.items())
        yield f"{title}: {sum(counts.values()):,}" + (f" ({reasons})." if reasons else ".")


def leaks_table(leaks: Mapping[str, Any]) -> Table | None:
    """The first leaks by id and place; texts are looked up with `trace` or in the store."""
    rows = tuple((one["id"], one["what"], one["reason"], decimals(one["score"]), one["gold"]) for one in leaks["head"])
    return (
        Table(f"The first {len(rows)} leaks", ("id", "what", "found by", "score", "dev or test line"), rows, words=(1, 2, 4))
        if rows
        else None
    )


def gate_sentences(gate: Mapping[str, Any]) -> Iterator[str]:
    """YIELDS (str): What the gate before training compared, and what it left out of the student's rows."""
    settings, threshold = gate["settings"], gate["threshold"]
    closer = "" if threshold is None else f", or have a similarity to one of {decimals(threshold, 2)} or more,"
    yield (
        f"Before training every row was compared with {gate['compared_with']:,} dev and test rows. Those that equal one, share "
        f"{settings['ngram']} words in a row with one{closer} are left out of the train sets; training refuses to start where that is more "
        f"than {percent(settings['max_share'])} % of the main one. It was {percent(gate['share'])} %."
    )


def gate_table(gate: Mapping[str, Any]) -> Table | None:
    """Rows that the gate before training turned away, by arm."""
    reasons = ("equal", "ngram", "similarity")
    rows = tuple((arm, counts["rows"], *(counts.get(reason, 0) for reason in reasons)) for arm, counts in gate["arms"].items())
    return Table("Rows left out before training", ("arm", "rows", *reasons), rows) if rows else None


def measure_tables(measures: Mapping[str, Any]) -> Iterator[Table]:
    """YIELDS (Table): Variety at equal size, and lengths, per set of rows; then rows and length per label."""
    sets, equal = measures["sets"], measures["equal"]
    rows = [
        (name, one["labels"]["n"], *(decimals(equal["sets"][name][key]["value"]) for key in MEASURES))
        for name, one in sets.items()
        if name in equal["sets"]
    ]
    yield Table(f"Variety, on {equal['n']:,} rows of each set", ("set", "all rows", *MEASURES.values()), tuple(rows))
    spreads = {name: one["lengths"]["words"] for name, one in sets.items() if one["lengths"]["words"]["n"]}
    lengths = tuple((name, *(decimals(one[key], 1) for key in ("mean", "sd", "min", "median", "max"))) for name, one in spreads.items())
    yield Table("Length in words", ("set", "mean", "sd", "shortest", "median", "longest"), lengths)
    main = sets.get(MAIN, {"lengths": {"per_label": {}}})["lengths"]["per_label"]
    if main:
        per_label = tuple(
            (label, one["words"]["n"], decimals(one["words"]["mean"], 1), decimals(one["words"]["sd"], 1)) for label, one in main.items()
        )
        yield Table("Accepted rows per label", ("label", "rows", "mean words", "sd"), per_label)
