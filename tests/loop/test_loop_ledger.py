import json
import shutil

import pytest
from made_loop import LABELS, Plan, make_loop

from spacy_synthesizrr.errors import InputError, RunFolderError
from spacy_synthesizrr.jsonl import read_json, write_json
from spacy_synthesizrr.loop.ledger import make_ledger, table

SKILL = {"start": [0.6], "loop": [0.75, 0.9], "goldgen": [0.66, 0.7], "random": [0.66, 0.7], "more-seed": [0.62, 0.64]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_loop(tmp_path_factory.mktemp("loop") / "tiny-text", Plan(skill=SKILL))


@pytest.fixture(scope="module")
def ledger(folder):
    return make_ledger(folder)


def arm(ledger, name):
    return next(one for one in ledger["arms"] if one["name"] == name)


def against(ledger, name):
    return next(one for one in ledger["differences"] if one["against"] == name)


def small(tmp_path, **changes):
    plan = Plan(**{"rows": 12, "test": 12, "seeds": 1, "skill": {"start": [0.5], "loop": [0.9], "goldgen": [0.6]}, **changes})
    return make_loop(tmp_path / "small", plan)


def test_every_round_of_every_arm_has_an_entry(ledger):
    assert [(one["name"], [entry["run"] for entry in one["rounds"]]) for one in ledger["arms"]] == [
        (name, [f"tiny-text/{name}-{number}" for number in (1, 2)]) for name in ("loop", "goldgen", "random", "more-seed")
    ]


def test_sizes_calls_and_what_was_turned_away(ledger):
    second = arm(ledger, "loop")["rounds"][1]
    assert (second["rows"], second["added"], second["calls"]) == (84, 24, 16)
    assert second["accepted"]["rows"] == sum(second["accepted"]["labels"].values()) == 12
    assert second["turned_away"] == {"near_duplicate": 4}


def test_the_start_has_asked_nobody(ledger):
    assert ledger["start"]["calls"] == 0 and ledger["start"]["accepted"] is None and ledger["start"]["gain"] is None


def test_money_is_tokens_at_the_price_of_the_teacher(ledger):
    first = arm(ledger, "loop")["rounds"][0]
    assert first["tokens"] == {"prompt": 1600, "answer": 320}
    assert first["cost"] == pytest.approx((1600 * 2 + 320 * 10) / 1e6)


def test_a_price_that_nobody_knows_is_no_price(tmp_path):
    first = arm(make_ledger(small(tmp_path, priced=False)), "loop")["rounds"][0]
    assert first["tokens"]["answer"] == 320 and first["cost"] is None


def test_a_teacher_that_counts_no_tokens_has_none(tmp_path):
    first = arm(make_ledger(small(tmp_path, tokens=False)), "loop")["rounds"][0]
    assert (first["calls"], first["tokens"], first["cost"]) == (16, None, None)


def test_the_selection_score_is_the_mean_that_chose_the_round(ledger, folder):
    for number in (1, 2):
        dev = read_json(folder / f"loop-{number}" / "student.json")["arms"][0]["dev"]
        found = arm(ledger, "loop")["rounds"][number - 1]["selection"]
        assert found["mean"] == pytest.approx(dev["mean"]) and found["sd"] == pytest.approx(dev["sd"])
        assert found["low"] <= found["mean"] <= found["high"]


def test_fixed_and_broken_explain_the_change_in_wrong_rows(ledger):
    for one in ledger["arms"]:
        for before, now in zip([ledger["start"], *one["rounds"]], one["rounds"], strict=False):
            for part in ("error", "selection"):
                moved = now[part]["moved"]
                assert moved["wrong"] == before[part]["moved"]["wrong"] - moved["fixed"] + moved["broken"]


def test_confusions_are_the_wrong_rows_of_the_error_part(ledger):
    entry = arm(ledger, "loop")["rounds"][0]
    assert sum(one["count"] for one in entry["confusions"]) == entry["error"]["moved"]["wrong"] == entry["errors"]
    assert all(one["gold"] != one["predicted"] for one in entry["confusions"])


def test_scores_per_label_are_there(ledger):
    assert list(ledger["start"]["selection"]["labels"]) == list(LABELS)


def test_the_error_part_is_too_good_where_rows_were_written_after_it(ledger):
    assert ledger["start"]["error"]["optimistic"] == ""
    assert all(arm(ledger, name)["rounds"][0]["error"]["optimistic"] for name in ("loop", "goldgen", "random"))
    assert arm(ledger, "more-seed")["rounds"][0]["error"]["optimistic"] == ""


def test_the_selection_part_is_too_good_because_it_chose(ledger):
    assert "round" not in ledger["start"]["selection"]["optimistic"] and ledger["start"]["selection"]["optimistic"]
    assert "round" in arm(ledger, "loop")["rounds"][0]["selection"]["optimistic"]


def test_without_a_split_every_score_is_too_good(tmp_path):
    found = make_ledger(small(tmp_path, share=None))
    assert found["parts"]["split"] is False and found["gold"] is None
    assert all(entry[part]["optimistic"] for entry in (found["start"], *arm(found, "loop")["rounds"]) for part in ("error", "selection"))
    assert any("Only test says" in line for line in table(found))


def test_differences_have_an_interval_that_holds_them(ledger):
    assert [one["against"] for one in ledger["differences"]] == ["start", "goldgen", "random", "more-seed"]
    for one in ledger["differences"]:
        for found in (one["test"], one["selection"]):
            assert found["low"] <= found["value"] <= found["high"]
        assert one["test"]["value"] == pytest.approx(sum(one["test"]["seeds"]) / 3)


def test_a_difference_is_that_of_the_test_scores(ledger):
    mine, other = (arm(ledger, name)["rounds"][1]["test"]["mean"] for name in ("loop", "random"))
    assert against(ledger, "random")["test"]["value"] == pytest.approx(mine - other)


def test_without_test_scores_nothing_is_claimed(tmp_path):
    found = make_ledger(small(tmp_path, tested=False))
    assert all(one["test"] is None and one["why"] for one in found["differences"])
    said = "\n".join(table(found))
    assert "nothing can be said" in said and "helped" not in said


def test_an_arm_that_is_short_says_so(tmp_path):
    found = make_ledger(small(tmp_path, added={"goldgen": 7}, calls={"goldgen": 13}))
    assert arm(found, "goldgen")["rounds"][0]["short"] == against(found, "goldgen")["short"] == {"rows": 5, "calls": 3}
    assert arm(found, "loop")["rounds"][0]["short"] == {}
    assert "5 rows fewer and 3 calls fewer than the loop" in "\n".join(table(found))


def test_the_result_is_the_best_round_on_the_selection_part(tmp_path):
    skill = {"start": [0.5], "loop": [0.95, 0.5], "goldgen": [0.1, 0.1]}
    found = make_ledger(small(tmp_path, skill=skill))
    assert [one["chosen"] for one in found["arms"]] == [1, 1]


def test_a_control_is_compared_in_the_round_of_the_result(tmp_path):
    found = make_ledger(small(tmp_path, skill={"start": [0.5], "loop": [0.95, 0.5], "goldgen": [0.1, 0.8]}))
    assert against(found, "goldgen")["rounds"] == [1, 1]


def test_where_the_start_is_the_result_the_last_round_is_compared(tmp_path):
    found = make_ledger(small(tmp_path, skill={"start": [0.9], "loop": [0.4, 0.5], "goldgen": [0.1, 0.8]}))
    assert arm(found, "loop")["chosen"] == 0
    assert against(found, "start")["rounds"] == [2, 0] and against(found, "goldgen")["rounds"] == [2, 2]


def test_of_equal_rounds_the_first_is_the_result(tmp_path):
    assert make_ledger(small(tmp_path, skill={"start": [0.5], "loop": [1.1, 1.1]}))["arms"][0]["chosen"] == 1


def test_the_result_is_the_last_round_where_that_is_asked_for(tmp_path):
    found = make_ledger(small(tmp_path, skill={"start": [0.5], "loop": [0.95, 0.5]}, final="last"))
    assert found["arms"][0]["chosen"] == 2


def test_the_same_loop_has_the_same_ledger_wherever_it_lies(tmp_path):
    first, second = (make_ledger(small(tmp_path / name)) for name in ("a", "b"))
    assert json.dumps(first) == json.dumps(second)
    assert str(tmp_path) not in json.dumps(first)


def test_a_round_that_is_not_finished_does_not_count(tmp_path):
    folder = small(tmp_path, skill={"start": [0.5], "loop": [0.7, 0.9]})
    (folder / "loop-2" / "predictions.jsonl").unlink()
    assert [entry["round"] for entry in make_ledger(folder)["arms"][0]["rounds"]] == [1]


def test_rounds_behind_the_most_that_are_asked_for_do_not_count(tmp_path):
    folder = small(tmp_path, skill={"start": [0.5], "loop": [0.7, 0.9]})
    about = read_json(folder / "loop.json")
    about["settings"]["loop"]["rounds"] = 1
    write_json(folder / "loop.json", about)
    assert [entry["round"] for entry in make_ledger(folder)["arms"][0]["rounds"]] == [1]


def test_an_arm_that_was_not_run_says_why(tmp_path):
    folder = small(tmp_path)
    shutil.rmtree(folder / "goldgen-1")
    write_json(folder / "loop.json", read_json(folder / "loop.json") | {"not_run": {"goldgen": "not run: no rows"}})
    found = make_ledger(folder)
    assert against(found, "goldgen")["why"] == arm(found, "goldgen")["why"] == "not run: no rows"
    assert any("not run: no rows" in line for line in table(found))


def test_a_loop_without_a_round_compares_nothing(tmp_path):
    found = make_ledger(small(tmp_path, skill={"start": [0.5], "loop": []}))
    assert found["differences"] == [] and found["arms"][0]["why"]
    assert [line for line in table(found) if line.startswith("start")]


def test_a_start_that_is_not_finished_is_refused(tmp_path):
    folder = small(tmp_path)
    (folder / "start" / "student.json").unlink()
    with pytest.raises(RunFolderError, match="is not finished"):
        make_ledger(folder)


def test_a_folder_without_a_loop_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no loop"):
        make_ledger(tmp_path)


def test_the_table_has_a_line_for_every_round(ledger):
    lines = list(table(ledger))
    assert sum(line.startswith(("start", "loop", "goldgen", "random", "more-seed")) and "of 40" in line for line in lines) == 9
    assert sum("(result)" in line for line in lines) == 1
    assert sum(line.startswith("Against ") for line in lines) == 4


def test_what_a_control_lacks_is_counted_up_to_the_round_that_is_compared(tmp_path):
    skill = {"start": [0.5], "loop": [0.95, 0.5], "goldgen": [0.1, 0.1]}
    found = make_ledger(small(tmp_path, skill=skill, added={"goldgen": 7}, calls={"goldgen": 13}))
    assert against(found, "goldgen")["short"] == {"rows": 5, "calls": 3}


def test_test_scores_stand_in_the_rounds_that_are_compared_alone(tmp_path):
    """There are others in the folders, of a loop that had another result."""
    found = make_ledger(small(tmp_path, skill={"start": [0.5], "loop": [0.95, 0.5], "goldgen": [0.1, 0.1]}))
    assert found["start"]["test"]
    assert [[bool(entry["test"]) for entry in one["rounds"]] for one in found["arms"]] == [[True, False], [True, False]]


def test_rounds_of_a_loop_that_ended_are_those_that_it_made(tmp_path):
    folder = small(tmp_path)
    about = read_json(folder / "loop.json") | {"rounds": {"loop": 1}, "not_run": {"goldgen": "not run: no rows"}}
    write_json(folder / "loop.json", about)
    assert [(len(one["rounds"]), one["why"]) for one in make_ledger(folder)["arms"]] == [(1, ""), (0, "not run: no rows")]
