"""The simulated teacher, and the loop where everything is known: it gains where its teacher has a gap, and nothing where there is none."""

import random
import sys
from collections import Counter
from dataclasses import replace

import pytest
from conftest import ROOT

from spacy_synthesizrr.prompts import Failure, Prompt

with pytest.MonkeyPatch.context() as patch:  # they import one another as scripts do
    patch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
    import s3_loops
    import s3_simulated
    import simulated_world
    from simulated_teacher import make_simulated
    from simulated_world import KINDS, LABELS, Kind, world_of

ASK = "Write a text from the house of jade.\n\nAnswer:"
SMALL = s3_simulated.Sizes(dev=10, test=10, start=40, steps=60, rounds=1)
SHORT = replace(SMALL, controls=("more-seed",))
DRAWS = range(3)


def kinds_written(teacher, prompt: str, *, draws: int = 300) -> Counter:
    """Kinds of what a teacher writes, by the words that it takes; a text whose own kind is the likeliest of all."""
    world, found = teacher.world, Counter()
    for draw in range(draws):
        text = teacher.answer(Prompt(prompt, draw=draw))
        scores = Counter(kind for word in simulated_world.words_of(text) for kind in world.owners.get(word, ()))
        found.update(kind for kind, _ in scores.most_common(1))
    return found


def test_all_kinds_are_made_alike_and_half_of_their_words_are_theirs_alone():
    world = world_of(0, 0.5)
    for kind, words in world.vocabulary.items():
        owners = [world.owners[word] for word in words]
        assert Counter(map(len, owners)) == {1: simulated_world.OWN, 2: simulated_world.SHARED}
        assert all(other.label != kind.label for own in owners for other in own if other != kind)
    assert len(world.vocabulary) == len(LABELS) * KINDS


def test_gold_rows_are_of_all_kinds_alike():
    rows = list(world_of(1, 0.5).rows("dev", 3))
    assert Counter(row["label"] for row in rows) == dict.fromkeys(LABELS, 3 * KINDS)
    assert rows == list(world_of(1, 0.5).rows("dev", 3)) != list(world_of(1, 0.5).rows("test", 3))


def test_of_itself_the_teacher_writes_the_kinds_it_knows():
    teacher = make_simulated(0, covered=0.5, wrong_kind=0.0, wrong_label=0.0)
    chosen = {teacher.choose(ASK, "jade", random.Random(number)) for number in range(200)}
    assert chosen == {Kind("jade", number) for number in range(KINDS // 2)}


@pytest.mark.parametrize("number", [0, KINDS - 1])
def test_shown_a_text_it_writes_another_of_its_kind_known_or_not(number):
    teacher = make_simulated(0, covered=0.5, wrong_kind=0.0, wrong_label=0.0)
    kind = Kind("jade", number)
    parent = " ".join(teacher.world.vocabulary[kind])
    written = kinds_written(teacher, f"Example: {parent}\n\n{ASK}")
    assert written.most_common(1)[0][0] == kind and written[kind] > 150


def test_wrong_labels_come_at_the_rate_that_was_asked_for_with_and_without_a_text():
    teacher = make_simulated(0, covered=0.5, wrong_kind=0.1, wrong_label=0.2)
    for prompt in (ASK, f"Example: {' '.join(teacher.world.vocabulary[Kind('jade', 5)])}\n\n{ASK}"):
        wrong = sum(teacher.choose(prompt, "jade", random.Random(number)).label != "jade" for number in range(2000))
        assert 340 < wrong < 460


def test_it_reads_the_text_of_the_prompt_and_nothing_else():
    teacher = make_simulated(0)
    plain = teacher.answer(Prompt(ASK, draw=3))
    assert plain == teacher.answer(Prompt(ASK, draw=3, id="x", label="from the house of amber", passage="Other.", fields={"mode": "y"}))
    assert plain != teacher.answer(Prompt(ASK, draw=4))


@pytest.mark.parametrize("prompt", ["Write a text.", "From the house of jade, not from the house of amber, but from the house of jade"])
def test_it_refuses_a_prompt_that_does_not_name_one_label(prompt):
    answer = make_simulated(0).answer(prompt.replace("From", "from"))
    assert isinstance(answer, Failure) and answer.kind == "refused"


def make_project(folder, sizes):
    """A project with the configs of the benchmark."""
    return s3_loops.make_project(folder / "project", s3_simulated.configs(sizes), steps=sizes.steps)


def test_where_the_teacher_has_a_gap_the_loop_gains_at_equal_cost(tmp_path):
    found = s3_simulated.run_draw(make_project(tmp_path, SMALL), "gap", 0, SMALL)
    assert found["loop"]["test"] > found["more-seed"]["test"] + 0.05
    assert {found[arm]["calls"] for arm in s3_loops.ARMS} == {found["loop"]["calls"]}
    assert {found[arm]["steps"] for arm in s3_loops.ARMS} == {found["loop"]["steps"]}
    assert all(0.9 * found["loop"]["added"] <= found[arm]["added"] <= found["loop"]["added"] for arm in s3_loops.ARMS)


def test_where_there_is_nothing_to_gain_the_interval_of_the_gain_over_more_seed_data_includes_zero(tmp_path):
    found = s3_simulated.run_case(make_project(tmp_path, SHORT), "null", DRAWS, SHORT)["gain_of_the_loop_over"]["more-seed"]
    assert s3_simulated.includes_zero(found), found
    assert len(found["draws"]) == len(DRAWS) and abs(found["mean"]) < 0.1


def test_an_interval_that_lies_above_zero_is_found():
    loops = [{"loop": {"test": 0.5 + 0.001 * number}, "more-seed": {"test": 0.4}} for number in range(5)]
    assert not s3_simulated.includes_zero(s3_loops.gain(loops, "more-seed"))
    even = [{"loop": {"test": 0.5 + number}, "more-seed": {"test": 0.5}} for number in (-0.1, 0.1, 0.05)]
    assert s3_simulated.includes_zero(s3_loops.gain(even, "more-seed"))
