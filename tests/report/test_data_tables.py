"""The funnel's table adds up for who reads it."""

import random

from spacy_synthesizrr.candidates import ACCEPTED, FAILED, REJECTED, Candidate, Event, Seed
from spacy_synthesizrr.funnel import RELABELLED_FROM, Funnel
from spacy_synthesizrr.report.data_tables import funnel_sentences, funnel_table

LABELS = ("sport", "science", "cooking")


def rows(*, relabelled):
    """Rows of three labels, of which some failed, some were turned away, and some were given another label first."""
    chance = random.Random(0)
    for number in range(90):
        label = LABELS[number % 3]
        row = Candidate.plan(task="t", strategy="s", seed=Seed.make([label], {"text": str(number)}), passage_id="p", draw=number)
        if number % 10 == 0:
            yield row, row.after(Event("synthesize", FAILED, "timeout"))
            continue
        end = row.after(Event("synthesize", ACCEPTED))
        if relabelled and chance.random() < 0.4:
            detail = {RELABELLED_FROM: label}
            end = end.after(Event("curate", ACCEPTED, "", detail), labels=(chance.choice([name for name in LABELS if name != label]),))
        yield row, end.after(Event("curate", REJECTED, "label_mismatch")) if number % 7 == 0 else end


def funnel(**how):
    found = Funnel(dict.fromkeys(LABELS, 30))
    for planned, end in rows(**how):
        found.add(planned)
        found.add(end)
    return found.to_dict()


def test_what_goes_in_and_what_comes_out_are_equal_for_every_label():
    table = funnel_table(funnel(relabelled=True))
    assert table.head == (
        "label", "asked", "planned", "reserve", "sent", "to other labels", "from other labels", "failed: timeout", "label mismatch",
        "accepted", "short by",
    )  # fmt: skip
    for row in (*table.rows, table.foot):
        sent, out, into, *ends, _ = (int(getattr(cell, "text", cell)) for cell in row[4:])
        assert sent - out + into == sum(ends) and out and into
    assert table.foot[5] == table.foot[6]
    assert "rows were given another label by a filter" in next(funnel_sentences(funnel(relabelled=True)))


def test_without_changed_labels_there_are_no_such_columns():
    table = funnel_table(funnel(relabelled=False))
    assert "to other labels" not in table.head and not list(funnel_sentences(funnel(relabelled=False)))


def test_a_funnel_of_an_earlier_release_has_a_table():
    found = funnel(relabelled=False)
    for counts in (*found["labels"].values(), found["total"]):
        del counts["relabelled_out"], counts["relabelled_in"]
    assert len(funnel_table(found).rows) == 3
