import csv
import json
from dataclasses import replace

import pytest

from argilla_bridge.files.filed import FileBackend
from argilla_bridge.rows import DISCARDED, DRAFT, SUBMITTED, ReviewRow, Suggestion, Vote
from argilla_bridge.schema import review_schema
from argilla_bridge.settings import ReviewSettings
from spacy_synthesizrr.errors import InputError
from spacy_synthesizrr.taskfile import TaskSpec

FAST, CAREFUL = ReviewSettings(), ReviewSettings(mode="careful")
SUFFIXES = pytest.mark.parametrize("suffix", [".csv", ".jsonl"])


def make_schema(settings=FAST, *, exclusive=True, labels=("rain", "sun"), name="weather", **more):
    data = {"path": "/t/task.yml", "name": name, "exclusive": exclusive, "prompt": {"instruction": "{verbalization}"}}
    spec = {label: {"verbalization": label} for label in labels}
    task = TaskSpec.model_validate({**data, "labels": spec, "seeds": {"path": "s.jsonl"}})
    return review_schema(task, settings, dimensions={}, **more)


def row(id, text="It pours.", *, labels=("rain",), score=0.5, priority=0.5, **fields):
    suggestion = None if labels is None else Suggestion(tuple(labels), score, "robot")
    return ReviewRow(id, f"c-{id}", {"text": text, **fields}, {"strategy": "x"}, {}, suggestion, priority)


def backend(path, schema=None, **more):
    made = FileBackend(path, "reviewer", **more)
    made.open("main", schema or make_schema())
    return made


def put(made, *rows, dataset="main"):
    kept = []
    assert list(made.put(dataset, rows, done=kept.extend)) == []
    return kept


def lines(path):
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def fill(path, id, **cells):
    """Write into the lines of a row, as a person would."""
    found = [{**line, **cells} if line["id"] == id else line for line in lines(path)]
    write(path, found)


def write(path, found):
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(line) + "\n" for line in found), encoding="utf-8")
        return
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(name for line in found for name in line)))
        writer.writeheader()
        writer.writerows(found)


def test_a_csv_shows_plain_texts_the_suggestion_and_empty_cells(tmp_path):
    path = tmp_path / "rows.csv"
    assert put(backend(path), row("r1", "&#61;1 &#60;b&#62;<br>x", passage="&#42;<mark>a</mark>")) == ["r1"]
    assert lines(path) == [
        {
            "id": "r1", "text": "'=1 <b>\nx", "passage": "*a", "seed": "", "suggestion": "rain", "suggestion_score": "0.5", "label": "",
            "user": "", "status": "", "priority": "0.5", "dataset": "main", "task": "weather",
                "run": "", "v": "1",
        }
    ]  # fmt: skip


def test_careful_mode_has_more_to_fill_in(tmp_path):
    path = tmp_path / "rows.jsonl"
    put(backend(path, make_schema(CAREFUL, exclusive=False)), row("r1", labels=("rain", "sun")))
    (line,) = lines(path)
    assert line["suggestion"] == ["rain", "sun"]
    assert [line[name] for name in ("label", "verdict", "corrected", "reason", "user", "status")] == [""] * 6


@SUFFIXES
def test_rows_stand_in_the_order_of_their_priority(tmp_path, suffix):
    made = backend(tmp_path / f"rows{suffix}")
    put(made, row("a", priority=0.2), row("b", priority=0.9))
    put(made, row("o", priority=1.0), dataset="overlap")
    put(made, row("c", priority=0.5))
    assert [(line["dataset"], line["id"]) for line in lines(made.path)] == [("main", "b"), ("main", "c"), ("main", "a"), ("overlap", "o")]
    assert list(made.ids("main")) == ["b", "c", "a"]
    assert list(made.ids("overlap")) == ["o"]


@SUFFIXES
def test_a_blind_row_suggests_nothing(tmp_path, suffix):
    made = backend(tmp_path / f"rows{suffix}")
    put(made, row("a", labels=None))
    assert not lines(made.path)[0]["suggestion"]


@SUFFIXES
def test_what_people_filled_in_survives_a_second_push(tmp_path, suffix):
    made = backend(tmp_path / f"rows{suffix}")
    put(made, row("a"), row("b", priority=0.1))
    fill(made.path, "a", label="sun", user="ann", notes="=look!")
    put(made, row("a", labels=("sun",), priority=0.0), row("c", priority=0.05))
    found = lines(made.path)
    assert [line["id"] for line in found] == ["b", "c", "a"]
    assert [found[2][name] for name in ("label", "user", "suggestion")] == ["sun", "ann", "sun"]
    assert found[2]["notes"].lstrip("'") == "=look!"
    assert list(made.votes("main")) == [Vote("a", "ann", SUBMITTED, ("sun",))]


@SUFFIXES
def test_pushing_the_same_again_changes_no_byte(tmp_path, suffix):
    made = backend(tmp_path / f"rows{suffix}")
    rows = [row("a", '\'=x, "y"<br>z'), row("b", priority=0.1)]
    put(made, *rows)
    before = made.path.read_bytes()
    put(made, *rows)
    assert made.path.read_bytes() == before


@SUFFIXES
def test_rows_can_be_removed_and_others_stay(tmp_path, suffix):
    made = backend(tmp_path / f"rows{suffix}")
    put(made, row("a"), row("b"))
    put(made, row("a"), dataset="overlap")
    made.remove("main", ["a", "unknown"])
    assert list(made.ids("main")) == ["b"]
    assert list(made.ids("overlap")) == ["a"]


@SUFFIXES
def test_an_open_file_without_rows_has_none(tmp_path, suffix):
    made = backend(tmp_path / "review" / f"rows{suffix}")
    assert list(made.ids("main")) == list(made.votes("main")) == []


def test_nothing_is_reported_as_kept_before_the_file_is_written(tmp_path):
    made = backend(tmp_path / "rows.csv")
    seen = []
    made.put("main", [row(f"r{number}") for number in range(1200)], done=lambda ids: seen.append((len(ids), len(lines(made.path)))))
    assert seen == [(500, 1200), (500, 1200), (200, 1200)]


def test_a_file_that_went_missing_has_no_rows(tmp_path):
    made = backend(tmp_path / "rows.csv")
    put(made, row("a"))
    made.path.unlink()
    made.remove("main", ["a"])
    assert list(made.ids("main")) == []
    with pytest.raises(InputError, match="This file is missing"):
        list(made.votes("main"))


ANSWERS = [
    # mode, exclusive, what a person writes, what it says
    (FAST, True, {"label": "sun"}, (SUBMITTED, ("sun",), "")),
    (FAST, True, {"label": " sun "}, (SUBMITTED, ("sun",), "")),
    (FAST, True, {"label": "SUN"}, (SUBMITTED, ("sun",), "")),
    (FAST, True, {"label": "Unusable"}, (SUBMITTED, (), "reject")),
    (FAST, False, {"label": "Sun|RAIN"}, (SUBMITTED, ("rain", "sun"), "")),
    (FAST, True, {"label": "unusable"}, (SUBMITTED, (), "reject")),
    (FAST, True, {"status": "Discarded"}, (DISCARDED, (), "")),
    (FAST, True, {"label": "sun", "status": "draft"}, (DRAFT, ("sun",), "")),
    (FAST, False, {"label": "sun|rain"}, (SUBMITTED, ("rain", "sun"), "")),
    (FAST, False, {"label": "|"}, (SUBMITTED, (), "")),
    (FAST, False, {"label": "unusable | sun"}, (SUBMITTED, (), "reject")),
    (CAREFUL, True, {"verdict": "keep"}, (SUBMITTED, ("rain",), "keep")),
    (CAREFUL, True, {"verdict": "KEEP", "label": "sun"}, (SUBMITTED, ("sun",), "keep")),
    (CAREFUL, True, {"label": "sun"}, (SUBMITTED, ("sun",), "keep")),
    (CAREFUL, True, {"corrected": "It rains."}, (SUBMITTED, ("rain",), "fix")),
    (CAREFUL, True, {"verdict": "reject"}, (SUBMITTED, (), "reject")),
    (CAREFUL, True, {"reason": "hm"}, (DRAFT, (), "")),
    (CAREFUL, True, {"reason": "hm", "status": "discarded"}, (DISCARDED, (), "")),
    (CAREFUL, False, {"verdict": "keep", "label": "|"}, (SUBMITTED, (), "keep")),
]


@SUFFIXES
@pytest.mark.parametrize(("settings", "exclusive", "written", "said"), ANSWERS)
def test_what_a_person_writes_is_a_vote(tmp_path, suffix, settings, exclusive, written, said):
    made = backend(tmp_path / f"rows{suffix}", make_schema(settings, exclusive=exclusive))
    put(made, row("a"), row("b"))
    fill(made.path, "a", **written)
    (vote,) = made.votes("main")
    assert (vote.status, vote.labels, vote.verdict) == said
    assert (vote.user, vote.reason, vote.text) == ("reviewer", written.get("reason", ""), written.get("corrected", ""))


def test_jsonl_takes_lists(tmp_path):
    made = backend(tmp_path / "rows.jsonl", make_schema(exclusive=False))
    put(made, row("a"), row("b"))
    fill(made.path, "a", label=["sun", "rain"])
    fill(made.path, "b", label=[])
    assert [vote.labels for vote in made.votes("main")] == [("rain", "sun"), ()]


def test_a_correction_that_looks_like_a_formula_comes_back(tmp_path):
    made = backend(tmp_path / "rows.csv", make_schema(CAREFUL))
    put(made, row("a"))
    fill(made.path, "a", corrected="= sign\nand more")
    put(made, row("a"))
    assert [vote.text for vote in made.votes("main")] == ["= sign\nand more"]


def test_a_label_may_hold_the_separator(tmp_path):
    made = backend(tmp_path / "rows.csv", make_schema(labels=("wind|storm", "sun")))
    put(made, row("a", labels=("wind|storm",)))
    fill(made.path, "a", label="wind|storm")
    assert [vote.labels for vote in made.votes("main")] == [("wind|storm",)]


ERRORS = [
    (
        FAST,
        {"label": "sunn"},
        r":2: 'sunn' is not among the labels. Did you mean 'sun'\? Valid: 'rain', 'sun', 'unusable'. Correct the cell",
    ),
    (FAST, {"label": "sun|rain"}, r":2: The cell 'label' has 2 labels .*exclude each other. Write one"),
    (FAST, {"label": "|"}, r":2: The cell 'label' has 0 labels"),
    (FAST, {"status": "done"}, r":2: 'done' is no status. Valid: 'submitted', 'draft', 'discarded'"),
    (FAST, {"status": "submitted"}, r":2: This row is submitted and has no label. Write one. Valid: 'rain', 'sun', 'unusable'"),
    (CAREFUL, {"label": "unusable"}, r":2: 'unusable' is not among the labels. Write reject into the column 'verdict' instead"),
    (CAREFUL, {"verdict": "kept"}, r":2: 'kept' is no verdict. Did you mean 'keep'\?"),
    (CAREFUL, {"verdict": "keep", "suggestion": ""}, r":2: This row has the verdict 'keep' and no label"),
    (CAREFUL, {"status": "submitted"}, r":2: This row is submitted and has no verdict"),
    (FAST, {"dataset": "mian"}, r":2: 'mian' is no dataset. Did you mean 'main'"),
    (FAST, {"v": "2"}, r":2: This row has version 2; this release reads versions up to 1"),
    (FAST, {"task": "news"}, r":2: This row belongs to the task 'news', not to 'weather'"),
]


@pytest.mark.parametrize(("settings", "written", "message"), ERRORS)
def test_what_is_no_answer_is_said_with_its_place(tmp_path, settings, written, message):
    made = backend(tmp_path / "rows.csv", make_schema(settings))
    put(made, row("a"))
    fill(made.path, "a", **written)
    with pytest.raises(InputError, match="rows.csv" + message):
        list(made.votes("main"))


def test_a_removed_answer_column_is_said(tmp_path):
    made = backend(tmp_path / "rows.csv")
    put(made, row("a"))
    write(made.path, [{name: cell for name, cell in line.items() if name != "label"} for line in lines(made.path)])
    with pytest.raises(InputError, match=r"There is no column 'label'.* Put it back"):
        list(made.votes("main"))


def test_columns_that_people_took_away_do_not_matter_for_votes(tmp_path):
    made = backend(tmp_path / "rows.csv")
    put(made, row("a"))
    write(made.path, [{"label": "sun", "id": "a"}])
    assert list(made.votes("main")) == [Vote("a", "reviewer", SUBMITTED, ("sun",))]


def test_a_file_of_another_task_is_not_taken_over(tmp_path):
    put(backend(tmp_path / "rows.csv"), row("a"))
    with pytest.raises(InputError, match="belongs to the task 'weather', not to 'news'"):
        backend(tmp_path / "rows.csv", make_schema(name="news"))


def test_two_people_answer_in_copies_of_the_file(tmp_path):
    first = backend(tmp_path / "rows.csv")
    put(first, row("a"), row("b"))
    (tmp_path / "bob.csv").write_bytes(first.path.read_bytes())
    fill(first.path, "a", label="sun")
    fill(tmp_path / "bob.csv", "a", label="rain")
    made = FileBackend(first.path, "ann", schema=make_schema(), copies=[tmp_path / "bob.csv"])
    assert [(vote.user, vote.labels) for vote in made.votes("main")] == [("ann", ("sun",)), ("bob", ("rain",))]


def copied(tmp_path, **cells):
    """A file that answers row a, and a copy of it made after that."""
    first = backend(tmp_path / "rows.csv")
    put(first, row("a"), row("b"), row("c"))
    fill(first.path, "a", label="sun")
    (tmp_path / "bob.csv").write_bytes(first.path.read_bytes())
    fill(tmp_path / "bob.csv", "b", label="rain", **cells)
    return FileBackend(first.path, "ann", schema=make_schema(), copies=[tmp_path / "bob.csv"])


def test_answers_that_stood_there_when_the_file_was_copied_count_once(tmp_path):
    made = copied(tmp_path)
    assert [(vote.user, vote.row_id) for vote in made.votes("main")] == [("ann", "a"), ("bob", "b")]
    (told,) = made.news()
    assert "bob.csv: 1 answers stand in" in told and "'user'" in told


def test_answers_of_two_people_who_disagree_anywhere_are_their_own(tmp_path):
    made = copied(tmp_path)
    fill(made.path, "b", label="sun")
    assert [(vote.user, vote.row_id) for vote in made.votes("main")] == [("ann", "a"), ("ann", "b"), ("bob", "a"), ("bob", "b")]
    assert made.news() == []


def test_a_name_in_the_copy_says_whose_its_answers_are(tmp_path):
    made = copied(tmp_path)
    fill(tmp_path / "bob.csv", "a", user="bob")
    assert [(vote.user, vote.row_id) for vote in made.votes("main")] == [("ann", "a"), ("bob", "a"), ("bob", "b")]


def test_given_files_are_read_alone_and_each_by_the_person_of_its_name(tmp_path):
    first = backend(tmp_path / "rows.csv")
    put(first, row("a"), row("b"))
    fill(first.path, "b", label="sun")
    for name in ("ann", "bob"):
        (tmp_path / f"{name}.csv").write_bytes(first.path.read_bytes())
        fill(tmp_path / f"{name}.csv", "a", label="rain")
    made = FileBackend(first.path, "me", schema=make_schema(), copies=[tmp_path / "ann.csv", tmp_path / "bob.csv"], alone=True)
    assert [(vote.user, vote.row_id) for vote in made.votes("main")] == [("ann", "a"), ("ann", "b"), ("bob", "a"), ("bob", "b")]
    own = FileBackend(first.path, "me", schema=make_schema(), copies=[first.path], alone=True)
    assert [(vote.user, vote.row_id) for vote in own.votes("main")] == [("me", "b")]


def test_a_vote_says_where_it_stands(tmp_path):
    made = copied(tmp_path)
    assert [vote.identity for vote in made.votes("main")] == [made.path.as_posix(), (tmp_path / "bob.csv").as_posix()]
    assert list(made.held("main")) == [(path.as_posix(), id) for path in (made.path, tmp_path / "bob.csv") for id in ("a", "b", "c")]


def test_a_row_for_a_judge_says_what_it_is_about(tmp_path):
    made = backend(tmp_path / "rows.csv", make_schema(adjudication=True))
    put(made, replace(row("j", answers="rain"), metadata={"about": "a"}), dataset="adjudication")
    fill(made.path, "j", label="sun")
    assert [vote.about for vote in made.votes("adjudication")] == ["a"]


def test_a_label_column_that_was_taken_out_does_not_come_back_empty(tmp_path):
    made = backend(tmp_path / "rows.csv")
    put(made, row("a"))
    write(made.path, [{name: cell for name, cell in line.items() if name != "label"} for line in lines(made.path)])
    made.open("main", make_schema())
    with pytest.raises(InputError, match="Put it back"):
        list(made.votes("main"))


def test_two_people_answer_in_two_lines_of_a_row(tmp_path):
    made = backend(tmp_path / "rows.csv")
    put(made, row("a"))
    (line,) = lines(made.path)
    write(made.path, [{**line, "label": "sun", "user": "ann"}, {**line, "label": "rain", "user": "bob"}])
    put(made, row("a", labels=None))
    assert [(vote.user, vote.labels) for vote in made.votes("main")] == [("ann", ("sun",)), ("bob", ("rain",))]


def test_an_answer_that_stands_there_twice_counts_once(tmp_path):
    made = backend(tmp_path / "rows.csv")
    put(made, row("a"))
    (line,) = lines(made.path)
    write(made.path, [{**line, "label": "sun"}] * 2)
    assert len(list(made.votes("main"))) == 1


def test_two_different_answers_of_one_person_are_said(tmp_path):
    made = backend(tmp_path / "rows.csv")
    put(made, row("a"))
    (line,) = lines(made.path)
    write(made.path, [{**line, "label": "sun"}, {**line, "label": "rain"}])
    with pytest.raises(InputError, match=r"rows.csv:3: This row is answered otherwise in .*rows.csv:2 by the same person. .*'reviewer'"):
        list(made.votes("main"))


def test_votes_of_each_dataset_come_apart(tmp_path):
    made = backend(tmp_path / "rows.csv")
    made.open("adjudication", make_schema(adjudication=True))
    put(made, row("a"))
    put(made, row("b", answers="- **rain** &#40;1)<br>"), dataset="adjudication")
    fill(made.path, "b", label="sun")
    assert list(made.votes("main")) == []
    assert list(made.votes("adjudication")) == [Vote("b", "reviewer", SUBMITTED, ("sun",), dataset="adjudication")]
    assert {line["id"]: line["answers"] for line in lines(made.path)} == {"a": "", "b": "'- **rain** (1)\n"}


@pytest.mark.parametrize(
    ("labels", "cell", "said"),
    [(("true", "false"), "TRUE", "true"), (("01", "2"), "1", "01"), (("1-2", "3-4"), "'1-2", "1-2"), (("US", "us"), "us", "us")],
)
def test_a_label_that_a_spreadsheet_changed_is_known(tmp_path, labels, cell, said):
    made = backend(tmp_path / "rows.csv", make_schema(labels=labels))
    put(made, row("a", labels=labels[:1]))
    fill(made.path, "a", label=cell)
    assert [vote.labels for vote in made.votes("main")] == [(said,)]
    put(made, row("a", labels=labels[:1]))
    assert [vote.labels for vote in made.votes("main")] == [(said,)]


@pytest.mark.parametrize(("labels", "cell"), [(("US", "us"), "Us"), (("01", "1.0"), "1"), (("1-2", "3-4"), "02/01/2026")])
def test_a_label_that_could_be_two_or_none_is_said(tmp_path, labels, cell):
    made = backend(tmp_path / "rows.csv", make_schema(labels=labels))
    put(made, row("a", labels=labels[:1]))
    fill(made.path, "a", label=cell)
    with pytest.raises(InputError, match=f"'{cell}' is not among the labels") as caught:
        list(made.votes("main"))
    assert ("write a ' in front, or review in a .jsonl" in str(caught.value)) == (labels[0] != "US")


def test_a_file_that_was_saved_with_semicolons_is_read_and_written_with_commas(tmp_path):
    made = backend(tmp_path / "rows.csv")
    put(made, row("a", priority=0.9), row("b", "One; two, three.", priority=0.3))
    found = [{**line, "label": "sun", "priority": line["priority"].replace(".", ",")} for line in lines(made.path)]
    with made.path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(found[0]), delimiter=";")
        writer.writeheader()
        writer.writerows(found)
    assert [(vote.row_id, vote.labels) for vote in made.votes("main")] == [("a", ("sun",)), ("b", ("sun",))]
    put(made, row("c", priority=0.5))
    assert [(line["id"], line["text"], line["label"]) for line in lines(made.path)] == [
        ("a", "It pours.", "sun"), ("c", "It pours.", ""), ("b", "One; two, three.", "sun"),
    ]  # fmt: skip


@SUFFIXES
def test_another_mode_adds_its_columns_and_keeps_what_is_filled_in(tmp_path, suffix):
    made = backend(tmp_path / f"rows{suffix}")
    put(made, row("a"))
    fill(made.path, "a", label="sun", notes="hm")
    backend(made.path, make_schema(CAREFUL))
    (line,) = lines(made.path)
    assert [line[name] for name in ("label", "verdict", "corrected", "reason", "notes")] == ["sun", "", "", "", "hm"]


def test_what_people_read_first_lies_beside_the_file(tmp_path):
    made = backend(tmp_path / "rows.csv", make_schema(ReviewSettings(backend="file")))
    put(made, row("a"))
    text = (tmp_path / "guidelines.md").read_text(encoding="utf-8")
    assert text.startswith("(Written by `argilla-bridge push`") and "- `rain`: rain" in text
    made.open("main", make_schema(ReviewSettings(backend="file"), labels=("rain", "sun", "snow")))
    assert "- `snow`: snow" in (tmp_path / "guidelines.md").read_text(encoding="utf-8")


def test_a_file_of_that_name_that_somebody_else_wrote_stays(tmp_path):
    (tmp_path / "guidelines.md").write_text("Mine.", encoding="utf-8")
    put(backend(tmp_path / "rows.csv"), row("a"))
    assert (tmp_path / "guidelines.md").read_text(encoding="utf-8") == "Mine."


def test_rows_to_remove_may_come_in_a_stream(tmp_path):
    made = backend(tmp_path / "rows.csv")
    put(made, row("a"), row("b"))
    made.remove("main", (id for id in ["a", "b"]))
    assert list(made.ids("main")) == []


def test_a_wrong_suffix_is_said_before_anything_is_read(tmp_path):
    with pytest.raises(InputError, match=r"rows.txt: .*Valid: '.csv', '.jsonl'"):
        FileBackend(tmp_path / "rows.txt", "ann")


def test_memory_does_not_grow_with_the_rows(tmp_path):
    import tracemalloc

    made = backend(tmp_path / "rows.csv")

    def peak(count):
        tracemalloc.start()
        made.put("main", (row(f"r{number}", "word " * 200) for number in range(count)), done=lambda ids: None)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(4000) < 1.5 * peak(1000) + 100_000


def test_memory_does_not_grow_with_the_votes(tmp_path):
    import tracemalloc

    def peak(count):
        made = backend(tmp_path / f"rows{count}.csv")
        put(made, *(row(f"r{number}") for number in range(count)))
        write(made.path, [{**line, "label": "sun"} for line in lines(made.path)])
        tracemalloc.start()
        assert sum(1 for _ in made.votes("main")) == count
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(4000) < 1.5 * peak(500) + 100_000


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl"])
def test_a_file_belongs_to_one_run(tmp_path, name):
    put(backend(tmp_path / name, run_id="123456789012"), row("a"))
    fill(tmp_path / name, "a", label="sun")
    before = (tmp_path / name).read_bytes()
    with pytest.raises(InputError, match=r"rows.*:\d: This row belongs to another run\. .*--to.*pull --from.*'run'"):
        backend(tmp_path / name, run_id="ba5e")
    with pytest.raises(InputError, match="another run"):
        list(FileBackend(tmp_path / name, "ann", schema=make_schema(), run_id="ba5e").votes("main"))
    assert (tmp_path / name).read_bytes() == before
    assert [vote.labels for vote in backend(tmp_path / name, run_id="123456789012").votes("main")] == [("sun",)]


def test_a_number_of_a_run_survives_a_spreadsheet(tmp_path):
    put(backend(tmp_path / "rows.csv", run_id="123456789012"), row("a"))
    assert lines(tmp_path / "rows.csv")[0]["run"] == "'123456789012"


def test_a_row_that_names_no_run_is_of_whatever_run_reads_it(tmp_path):
    put(backend(tmp_path / "rows.csv", run_id="ba5e"), row("a"), row("b"))
    fill(tmp_path / "rows.csv", "a", run="")
    fill(tmp_path / "rows.csv", "b", run="")
    assert sorted(backend(tmp_path / "rows.csv", run_id="cafe").ids("main")) == ["a", "b"]


def test_a_copy_may_be_of_another_run(tmp_path):
    put(backend(tmp_path / "ann.csv", run_id="ba5e"), row("a"))
    fill(tmp_path / "ann.csv", "a", label="sun")
    own = backend(tmp_path / "rows.csv", run_id="cafe", copies=[tmp_path / "ann.csv"])
    assert [(vote.user, vote.labels) for vote in own.votes("main")] == [("ann", ("sun",))]
