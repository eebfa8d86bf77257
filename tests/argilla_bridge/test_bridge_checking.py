"""Texts that people corrected, judged as curation judges: by the filters of the run."""

import csv
import json
from pathlib import Path

import pytest
from filled_in import fill_in
from review_room import candidate, task

from argilla_bridge import commands
from argilla_bridge.rounds.checking import checked
from argilla_bridge.rounds.pulling import reviewed
from argilla_bridge.rows import Decision
from spacy_synthesizrr.candidates import Candidate, Passage, Seed
from spacy_synthesizrr.configs import read_config
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.curation.chain import read_row_filters
from spacy_synthesizrr.jsonl import read_jsonl
from spacy_synthesizrr.lookup import Lookup
from spacy_synthesizrr.report.review import decided_table
from spacy_synthesizrr.steps import export, prepare

CONFIG = Path(__file__).parents[2] / "configs" / "curate.cfg"
PASSAGE = "The rowers won the last race of the year by half a length while the crowd sang in the rain on both banks."
TEST = "A young keeper saved two penalties before the break and the visitors went home without a single goal."
SEED = Seed("seed", ("sport",), {"text": "The league leaders lost at home again."})


class Shelf:
    """A store of one passage."""

    def get(self, ids):
        return [Passage("p", PASSAGE)]


def edited(number, text):
    """A row whose text people corrected and whose label they changed."""
    return reviewed(candidate(number), Decision("accepted", ("science",), text, "human", 2, 1.0), task())


def judged(*texts, others=()):
    accept, off = read_row_filters(read_config(CONFIG), task(), [SEED.fields["text"]], copies=False, gold=[TEST])
    assert [line.split("'")[1] for line in off] == ["relative_length"]  # one seed says nothing of lengths
    lookup = Lookup(task(), Shelf(), [SEED])
    return list(checked(accept, lookup, others, [edited(number, text) for number, text in enumerate(texts)]))


def reasons(*texts, others=()):
    return [row.reason for row in judged(*texts, others=others)]


def test_a_text_of_its_own_passes_as_it_is():
    assert judged("The sprinter broke the record on Sunday.") == [edited(0, "The sprinter broke the record on Sunday.")]


def test_what_gives_a_test_text_away_is_turned_away():
    assert reasons(TEST.upper(), "Today a young keeper saved two penalties before the break, they say.") == ["gold_copy", "gold_ngram"]


def test_a_copy_of_the_passage_is_turned_away():
    assert reasons("The rowers won the last race of the year by half a length.") == ["near_copy"]


def test_what_another_row_a_seed_or_an_earlier_correction_says_is_turned_away():
    texts = ("TEXT number 7.", SEED.fields["text"], "The cyclists climbed in heavy rain.", "the cyclists  climbed in heavy rain.")
    assert reasons(*texts, others=[candidate(7)]) == ["duplicate", "seed_copy", "", "duplicate"]


def test_what_is_turned_away_keeps_the_text_and_says_who_decided_and_why():
    (row,) = judged(TEST)
    assert (row.status, row.fields["text"], row.labels) == ("rejected", TEST, ("science",))
    assert [event.step for event in row.events] == ["curate", "edit", "review"]
    said = {"label_source": "human", "annotators": 2, "agreement": 1.0, "was": ["sport"], "score": 1.0}
    assert row.events[-1].detail == said


@pytest.fixture
def careful(walked):
    """A run in careful mode whose rows are in a file."""
    config = Path("configs/review.file.cfg")
    config.write_text(config.read_text().replace('mode = "fast"', 'mode = "careful"').replace("blind = 0.1", "blind = 0"))
    prepare.run(prepare.Choices("tiny", "tiny", per_label=4, review="file"))
    run = Context.open("tiny")
    commands.push(run)
    return run


def correct(run, *texts):
    """Write corrections into the first rows. RETURNS: All rows."""
    return fill_in(run.folder.file("review/rows.csv"), texts, column="corrected")


def rows_of(run, name):
    return list(read_jsonl(run.folder.file(f"review/{name}.jsonl"), Candidate.from_dict))


def pulled(run):
    commands.pull(run)
    return json.loads(run.folder.file("review/pulled.json").read_text())


def test_a_pull_turns_bad_corrections_away_names_them_and_loses_no_row(careful, capsys):
    rows = correct(careful)
    correct(careful, "The oarsmen rested after a long season.", rows[2]["text"])
    counts = pulled(careful)
    assert (counts["human"], counts["edited"], counts["rejected"]) == (1, 1, 1)
    assert (counts["unfit"], counts["reasons"]) == ({"duplicate": 1}, {"duplicate": 1})
    assert "1 corrected texts do not pass the filters of curation (1 duplicate)." in capsys.readouterr().out
    kept, away = rows_of(careful, "reviewed"), rows_of(careful, "turned_away")
    assert len(kept) + len(away) == len(rows)
    assert [row.fields["text"] for row in kept].count(rows[2]["text"]) == 1
    assert kept[-1].fields["text"] == "The oarsmen rested after a long season."
    commands.agreement(careful), export.run(careful)
    assert json.loads(careful.folder.file("export.json").read_text())["turned_away"] == {"duplicate": 1}


def test_corrected_once_more_a_row_goes_on(careful):
    rows = correct(careful)
    correct(careful, rows[2]["text"])
    assert pulled(careful)["unfit"] == {"duplicate": 1}
    correct(careful, "The oarsmen rested after a long season.")
    assert (pulled(careful)["unfit"], rows_of(careful, "turned_away")) == ({}, [])


def test_two_corrections_to_the_same_text_leave_one(careful):
    correct(careful, "The oarsmen rested after a long season.", "the oarsmen  rested after a LONG season.")
    counts = pulled(careful)
    assert (counts["edited"], counts["unfit"]) == (1, {"duplicate": 1})


def test_the_text_of_a_row_that_was_turned_away_is_free(careful):
    rows = correct(careful)
    rows[2]["verdict"] = "reject"
    path = careful.folder.file("review/rows.csv")
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    correct(careful, rows[2]["text"])
    counts = pulled(careful)
    assert (counts["edited"], counts["unfit"]) == (1, {})


def test_the_report_tells_corrections_that_were_turned_away_from_other_rows(careful):
    rows = correct(careful)
    correct(careful, rows[2]["text"])
    decided = pulled(careful)
    decided["reasons"] = {**decided["reasons"], "duplicate": 3, "unusable": 1}
    told = dict(decided_table({"decided": decided}).rows)
    away = {name: count for name, count in told.items() if name.startswith("turned away")}
    assert away == {"turned away: duplicate": 2, "turned away: unusable": 1, "turned away: corrected text, duplicate": 1}
