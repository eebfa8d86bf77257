import json

import pytest
from walked_run import HOSTILE

from spacy_synthesizrr.candidates import ACCEPTED, GENERATED, REJECTED, Candidate, Event, Seed
from spacy_synthesizrr.errors import InputError, SynthesizrrError
from spacy_synthesizrr.jsonl import write_jsonl
from spacy_synthesizrr.trace import find, printable, trace


def planned(number):
    return Candidate.plan(task="t", strategy="s", seed=Seed.make(["sport"], {"text": "A match."}), passage_id=f"p{number}")


def write(folder, name, *rows):
    write_jsonl(folder / name, (row.to_dict() for row in rows))


def first_row(context, name):
    return json.loads(context.folder.file(name).read_text(encoding="utf-8").splitlines()[0])


def test_a_candidate_is_found_by_its_first_digits(tmp_path):
    rows = [planned(number) for number in range(20)]
    write(tmp_path, "planned.jsonl", *rows)
    (found,) = find(tmp_path, rows[7].id[:12])
    assert found.candidate == rows[7]
    assert found.places == ("planned.jsonl:8",)


def test_the_latest_version_tells_the_whole_history(tmp_path):
    row = planned(1)
    generated = row.after(Event("synthesize", GENERATED), fields={"text": "A goal."})
    rejected = generated.after(Event("synthesize", REJECTED, "near_copy", {"score": 0.97}))
    write(tmp_path, "planned.jsonl", row)
    write(tmp_path, "generated.jsonl", planned(2), generated)
    write(tmp_path, "turned_away.jsonl", rejected)
    write(tmp_path, "rejected.jsonl", rejected)
    (found,) = find(tmp_path, row.id)
    assert found.candidate == rejected
    assert found.places == ("planned.jsonl:1", "generated.jsonl:2", "turned_away.jsonl:1", "rejected.jsonl:1")


def test_controls_are_searched_too(tmp_path):
    row = planned(3)
    write(tmp_path, "planned.jsonl", planned(1))
    write(tmp_path, "controls/random/planned.jsonl", row)
    (found,) = find(tmp_path, row.id)
    assert found.arm == "random"
    assert found.places == ("controls/random/planned.jsonl:1",)


def test_a_candidate_of_two_arms_is_told_for_each(tmp_path):
    row = planned(1)
    accepted = row.after(Event("synthesize", ACCEPTED))
    write(tmp_path, "accepted.jsonl", accepted)
    write(tmp_path, "controls/random/planned.jsonl", row)
    assert [(found.arm, found.candidate) for found in find(tmp_path, row.id)] == [("main", accepted), ("random", row)]


def test_a_prefix_of_several_is_refused_with_choices(tmp_path):
    rows = [planned(number) for number in range(40)]
    write(tmp_path, "planned.jsonl", *rows)
    digit = max("0123456789abcdef", key=lambda first: sum(row.id.startswith(first) for row in rows))
    with pytest.raises(SynthesizrrError, match="More than one candidate") as caught:
        find(tmp_path, digit)
    named = [row.id for row in rows if row.id in str(caught.value)]
    assert len(named) >= 2
    assert all(name.startswith(digit) for name in named)


def test_an_unknown_id_names_the_nearest(tmp_path):
    rows = [planned(number) for number in range(200)]
    write(tmp_path, "planned.jsonl", *rows)
    wrong = rows[5].id[:20] + "zz"
    with pytest.raises(SynthesizrrError, match="No candidate has an id") as caught:
        find(tmp_path, wrong)
    assert f"nearest are: {rows[5].id}" in str(caught.value)


def test_an_empty_prefix_is_refused(tmp_path):
    with pytest.raises(SynthesizrrError, match="first digits"):
        find(tmp_path, "  ")


def test_a_run_without_candidates_says_what_to_do(tmp_path):
    with pytest.raises(SynthesizrrError, match="Run the step 'plan' first"):
        find(tmp_path, "abc")


def test_a_broken_row_is_named_by_file_and_line(tmp_path):
    (tmp_path / "planned.jsonl").write_text("not json\n")
    with pytest.raises(InputError, match=r"planned\.jsonl:1"):
        find(tmp_path, "abc")


def test_the_whole_life_of_an_accepted_row(walked):
    row = first_row(walked, "accepted.jsonl")
    text = trace(walked, row["id"])
    for part in (
        f"Candidate {row['id']}",
        "status     accepted",
        "accepted.jsonl:1",
        row["seed_id"],
        row["passage_id"],
        f"rank {row['rank']}",
    ):
        assert part in text
    events = text[text.index("Events") :]
    assert events.index("generated") < events.index("accepted")
    assert "Field 'text' (generated)" in events
    assert "source Gazette" in text and "<script>" in text


def test_a_row_that_is_only_planned_has_no_events_yet(walked):
    walked.folder.file("accepted.jsonl").unlink()
    for name in ("generated", "synthesized", "turned_away", "rejected"):
        walked.folder.file(f"{name}.jsonl").unlink()
    text = trace(walked, first_row(walked, "planned.jsonl")["id"])
    assert "nothing has happened to it yet" in text


def test_a_passage_that_is_gone_is_said_and_not_invented(walked):
    row = first_row(walked, "accepted.jsonl") | {"id": "f" * 32, "passage_id": "00000000-0000-5000-8000-000000000000"}
    with walked.folder.file("accepted.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    assert "its text is not to be had" in trace(walked, "f" * 32)


def test_a_seed_that_is_gone_is_said(walked):
    row = first_row(walked, "accepted.jsonl") | {"id": "f" * 32, "seed_id": "e" * 32}
    with walked.folder.file("accepted.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    assert f"Seed {'e' * 32} (not among the task's seeds any more)" in trace(walked, "f" * 32)


def test_shots_are_told_with_their_passages(walked):
    first = first_row(walked, "accepted.jsonl")
    row = first | {"id": "f" * 32, "shots": [[first["seed_id"], first["passage_id"]], [first["seed_id"], None]]}
    with walked.folder.file("accepted.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    text = trace(walked, "f" * 32)
    assert f"Shot 1: seed {first['seed_id']}" in text
    assert f"Shot 1: passage {first['passage_id']}" in text
    assert f"Shot 2: seed {first['seed_id']}" in text and "Shot 2: passage" not in text


def test_control_characters_cannot_reach_the_terminal():
    assert printable("red \x1b[31m bell \x07 tab\t ä 体") == "red \\x1b[31m bell \\x07 tab\t ä 体"
    assert printable(HOSTILE) == HOSTILE
