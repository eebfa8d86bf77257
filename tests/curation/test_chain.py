"""Row filters as a list, and reading them from a config."""

from dataclasses import replace
from pathlib import Path

import pytest
from spacy.util import registry

from spacy_synthesizrr.candidates import Candidate, Seed
from spacy_synthesizrr.configs import read_config
from spacy_synthesizrr.curation.chain import Chain, read_row_filters
from spacy_synthesizrr.curation.duplicates import ExactDuplicate
from spacy_synthesizrr.curation.verdicts import ACCEPT, Verdict, reject, repair
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.taskfile import read_task

ROOT = Path(__file__).parents[2]
CURATE = ROOT / "configs" / "curate.cfg"
TASK = read_task(ROOT / "tests" / "fixtures" / "pair")
ROW = Candidate.plan(task="t", strategy="s", seed=Seed.make(["sport"], {"text": "a"}), passage_id="p")
PASSAGE = "The harbour board met on Tuesday and agreed to close the old ferry pier before the winter storms arrive in Lunde."


def ask(judge, text, passage=""):
    return judge(replace(ROW, fields={"premise": "p", "hypothesis": text, "text": text}), text, passage)


def test_no_filters_accept_everything():
    assert ask(Chain([]), "") == ACCEPT


def test_first_filter_that_turns_away_says_why():
    chain = Chain([lambda candidate, text, passage: ACCEPT, lambda *row: reject("one", 0.5), lambda *row: reject("two")])
    assert ask(chain, "x") == Verdict(False, "one", 0.5)


def test_text_that_another_filter_turned_away_does_not_block_its_equals():
    near_copy = lambda candidate, text, passage: reject("near_copy") if text in passage else ACCEPT  # noqa: E731
    chain = Chain([ExactDuplicate(["text"]), near_copy])
    assert ask(chain, "a b", "a b c").reason == "near_copy"
    assert ask(chain, "a b", "other") == ACCEPT
    assert ask(chain, "a b", "other").reason == "duplicate"


def test_chain_in_a_chain_remembers_only_what_all_accept():
    inner = Chain([ExactDuplicate(["text"])])
    chain = Chain([inner, lambda candidate, text, passage: reject("late") if passage else ACCEPT])
    assert ask(chain, "a", "p").reason == "late"
    assert ask(chain, "a") == ACCEPT
    assert ask(chain, "a").reason == "duplicate"


def cut(what, opening):
    """Cuts an opening off."""
    return lambda candidate, text, passage: repair(what, text.removeprefix(opening)) if text.startswith(opening) else ACCEPT


def test_filters_after_a_repair_see_the_mended_text_and_the_first_text_is_kept():
    verdict = ask(Chain([cut("sure", "Sure: "), cut("here", "Here: ")]), "Sure: Here: rain")
    assert verdict == Verdict(True, detail={"repaired": ["sure", "here"], "before": "Sure: Here: rain"}, text="rain")


def test_mended_text_is_what_filters_remember():
    chain = Chain([cut("sure", "Sure: "), ExactDuplicate(["text"])])
    assert ask(chain, "Sure: rain").accepted
    assert ask(chain, "rain").reason == "duplicate"


def test_row_that_was_mended_and_turned_away_knows_what_the_teacher_wrote():
    verdict = ask(Chain([cut("sure", "Sure: "), lambda *row: reject("late", 2)]), "Sure: rain")
    assert verdict == Verdict(False, "late", 2, {"repaired": ["sure"], "before": "Sure: rain"})


PLACES = ("school", "museum", "church", "library", "theatre", "barn", "mill")
SEEDS = ["Gulls nest on the tower.", *(f"The {place} gets a new roof." for place in PLACES)]


@pytest.fixture
def shipped():
    """The filters of the shipped config, for a teacher that writes."""
    return read_row_filters(read_config(CURATE), TASK, SEEDS, copies=False, path=CURATE)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("I'm sorry, but I cannot assist with that.", "refused"),
        ("Too short", "too_short"),
        ("word " * 41, "too_long"),
        (PASSAGE, "near_copy"),
        ("gulls nest on the tower", "seed_copy"),
        ("Here is the headline for it.", "boilerplate"),
        ("Der Verein hat das Spiel nicht gewonnen.", "other_language"),
        ("Ferries will use another pier.", ""),
    ],
)
def test_shipped_config_turns_away_what_it_should(shipped, text, reason):
    assert ask(shipped[0], text, PASSAGE).reason == reason


def test_shipped_config_turns_away_the_second_of_two(shipped):
    assert ask(shipped[0], "Ferries will use another pier.", PASSAGE) == ACCEPT
    assert ask(shipped[0], "ferries will use another pier", PASSAGE).reason == "duplicate"


def test_shipped_config_leaves_only_the_length_to_the_task_file_for_a_teacher_that_writes(shipped):
    assert shipped[1] == ["The filter 'relative_length' is off: the task file says min_words and max_words."]


def test_near_copies_pass_when_the_teacher_only_copies_and_it_is_said():
    chain, off = read_row_filters(read_config(CURATE), TASK, [], copies=True)
    assert ask(chain, PASSAGE, PASSAGE) == ACCEPT
    assert [line.split(":")[0] for line in off if "this teacher only copies" in line] == [
        "The filter 'near_copy' is off", "The filter 'near_duplicate' is off",
    ]  # fmt: skip


def test_empty_section_means_no_filters():
    chain, off = read_row_filters({"row_filters": {}}, TASK, [], copies=False)
    assert ask(chain, "") == ACCEPT and off == []


def test_missing_section_is_a_config_error():
    with pytest.raises(ConfigError, match=r"x.cfg: the section \[row_filters\] is missing"):
        read_row_filters({}, TASK, [], copies=False, path="x.cfg")


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"@misc": "synthesizrr.Lenght.v1"}, r"\[row_filters\]: \[x\].*Lenght"),
        ({"@misc": "synthesizrr.Length.v1", "words": 3}, "words"),
        ({"@misc": "synthesizrr.Length.v1", "min_words": "many"}, "min_words"),
        ({"@misc": "synthesizrr.NearCopy.v1", "threshold": 2.0}, "threshold must lie above 0"),
        ({"threshold": 2.0}, "describes no filter"),
        (7, "is no section"),
    ],
)
def test_filter_that_cannot_be_built_is_a_config_error_on_one_line(section, message):
    with pytest.raises(ConfigError, match=message) as caught:
        read_row_filters({"row_filters": {"x": section}}, TASK, [], copies=False, path="x.cfg")
    assert "\n" not in str(caught.value)


def test_filters_of_others_can_be_registered():
    with_registered = registry.misc.register("test.NoDigits.v1", func=lambda: lambda inputs: no_digits)
    assert with_registered is not None
    chain, _ = read_row_filters({"row_filters": {"digits": {"@misc": "test.NoDigits.v1"}}}, TASK, [], copies=False)
    assert ask(chain, "4 goals").reason == "digits"
    assert ask(chain, "four goals") == ACCEPT


def no_digits(candidate, text, passage):
    return reject("digits") if any(sign.isdigit() for sign in text) else ACCEPT
