"""The tasks of S3: reasons, texts from reasons, texts like another text."""

import pickle

import pytest
import spacy
from confection import Config
from spacy_llm.registry import registry

from spacy_synthesizrr.candidates import Candidate, Seed
from spacy_synthesizrr.errors import ConfigError, PlanError, TaskFileError
from spacy_synthesizrr.models.answers.responses import request_hash
from spacy_synthesizrr.prompts import Answer, Failure
from spacy_synthesizrr.taskfile import read_task
from spacy_synthesizrr.tasks.rationale import make_rationale_task, parse_rationales, rationale_config
from spacy_synthesizrr.tasks.registry import make_refine_task, task_config
from spacy_synthesizrr.tasks.s3 import make_extrapolate_task, make_stepbystep_task

LABELS = {"sport": "about sport", "firms": {"verbalization": "about firms", "definition": "Trade."}}
NLP = spacy.blank("en")
REASONS = [{"dimension": "rationale", "header": "Reasons", "text": text} for text in ("a goal", "a race")]
STYLE = {"dimension": "style", "header": "Style", "text": "dry"}
TASK = """
name: pairs
labels:
  "yes=no": {verbalization: 'that says "yes" for $5', definition: Agreement.}
  other: {verbalization: that says something else}
fields:
  - {name: premise}
  - {name: source_text, from: passage}
  - {name: hypothesis, generated: true}
prompt:
  document_header: "Text:"
  instruction: Write a sentence {verbalization}.
  answer_header: "Sentence:"
  refusal_marker: NOT POSSIBLE
corpus: {path: corpus.jsonl}
seeds: {path: seeds.jsonl}
"""


def plan(label="sport", **more):
    candidate = Candidate.plan(task="t", strategy="s", seed=Seed.make([label], {"text": "seed"}), passage_id=None)
    return {"candidate": candidate.to_dict(), "passage": "", "verbalizations": [], "fields": {}, "shots": [], **more}


def doc_with(*planned):
    doc = NLP.make_doc("seed")
    doc._.synthesizrr_planned = list(planned)
    return doc


def prompt_of(task, **more):
    [([prompt], _)] = list(task.generate_prompts([doc_with(plan(**more))]))
    return prompt


def parsed(task, answer, **more):
    [doc] = task.parse_responses([[doc_with(plan(**more))]], [[answer]])
    return Candidate.from_dict(doc._.synthesizrr[0])


def resolve(section):
    return registry.resolve(Config().from_str(Config({"task": section}).to_str()))["task"]


@pytest.fixture
def spec(tmp_path):
    (tmp_path / "task.yml").write_text(TASK, encoding="utf-8")
    return read_task(tmp_path)


# ── step by step


def test_reasons_and_attributes_stand_before_the_instruction():
    assert prompt_of(make_stepbystep_task(LABELS), rationales=[*REASONS, STYLE]) == (
        "Reasons:\n- a goal\n- a race\nStyle: dry\n\nWrite a text about sport. Base it on what is listed above.\n\nAnswer:"
    )


def test_without_reasons_it_is_the_plain_label_prompt():
    assert prompt_of(make_stepbystep_task(LABELS)) == "Write a text about sport.\n\nAnswer:"


def test_passage_and_kept_fields_stand_before_the_reasons():
    task = make_stepbystep_task(LABELS, carried={"premise": "Premise"}, refusal_marker="NO")
    prompt = prompt_of(task, passage="It rained.", fields={"premise": "P"}, rationales=[STYLE])
    assert prompt.startswith("Document:\nIt rained.\n\nPremise: P\nStyle: dry\n\nWrite a text") and "write only: NO" in prompt
    assert prompt.passage == "It rained."


def test_the_refusal_marker_is_told_only_where_there_is_a_passage():
    assert "NO" not in prompt_of(make_stepbystep_task(LABELS, refusal_marker="NO"), rationales=REASONS)


def test_an_answer_that_repeats_the_reasons_gives_the_text_behind_them():
    row = parsed(make_stepbystep_task(LABELS), "Reasons:\n- a goal\n- a race\n\nAnswer: They won.", rationales=REASONS)
    assert row.fields["text"] == "They won."


# ── extrapolate


def test_the_text_and_its_label_stand_in_the_prompt():
    assert prompt_of(make_extrapolate_task(LABELS), parent="They won.") == (
        "Example: They won.\n\nWrite a text about sport. It should be similar to the text above, but a new text in other words.\n\nAnswer:"
    )


def test_a_label_to_avoid_is_named():
    prompt = prompt_of(make_extrapolate_task(LABELS, avoid_instruction="Not {verbalization}!"), parent="They won.", avoid=["about firms"])
    assert "in other words. Not about firms!\n" in prompt


def test_extrapolating_nothing_is_refused():
    with pytest.raises(PlanError, match=r"has no parent, and synthesizrr.Extrapolate.v1 writes another text like it"):
        prompt_of(make_extrapolate_task(LABELS))


@pytest.mark.parametrize(
    "answer", ['"They lost."', "Answer: They lost.", "Example: They won.\n\nAnswer: They lost.", "Here is a similar text:\n\nThey lost."]
)
def test_an_extrapolation_is_freed_from_what_stands_around_it(answer):
    assert parsed(make_extrapolate_task(LABELS), answer, parent="They won.").fields["text"] == "They lost."


def test_a_template_that_never_shows_the_text_is_refused():
    with pytest.raises(ConfigError, match="never shows the variable 'parent'"):
        make_extrapolate_task(LABELS, template="Write one {{ verbalization }}.")


# ── refine, away from a label


def test_refine_tells_what_to_avoid_and_says_nothing_without():
    task = make_refine_task(LABELS)
    plain, away = (prompt_of(task, passage="It rained.", avoid=avoid) for avoid in ([], ["about firms"]))
    quoted = 'It must not be what this would ask for: "Write a text about firms that uses facts from the document above."'
    assert away == plain.replace("document above.", f"document above. {quoted}")


def test_shots_in_turns_avoid_nothing():
    task = make_refine_task(LABELS, mode="retricl", chat_turns=True, avoid_instruction="Not {verbalization}!")
    prompt = prompt_of(task, passage="It rained.", avoid=["about firms"], shots=[{"document": "D", "text": "T"}])
    assert ["Not about firms!" in message["content"] for message in prompt.messages] == [False, False, True]


# ── reasons


def asked(task, label):
    [([prompt], _)] = list(task.generate_prompts([NLP.make_doc(label)]))
    return prompt


def test_reasons_are_asked_for_by_label_and_number():
    prompt = asked(make_rationale_task(LABELS, n=4), "firms")
    assert 'instruction: "Write a text about firms." Name 4 different reasons' in prompt and "sport" not in prompt
    assert (prompt.label, prompt.key) == ("about firms", "firms")


def test_values_for_all_labels_are_asked_for_once():
    task = make_rationale_task(LABELS, n=3, instruction="Name {n} styles of texts {verbalization}.", by_label=False)
    assert asked(task, "") == "Name 3 styles of texts about sport / about firms."


def test_another_draw_asks_the_same_and_is_another_request():
    first, second = (asked(make_rationale_task(LABELS, n=4, draw=draw), "firms") for draw in (0, 1))
    assert (first, first.draw, second.draw) == (second, 0, 1)
    assert request_hash(first, identity="m") != request_hash(second, identity="m")
    together = make_rationale_task(LABELS, n=3, instruction="Name {n} styles.", by_label=False, draw=2)
    assert asked(together, "").draw == 2


def test_reasons_for_an_unknown_label_are_refused():
    with pytest.raises(ConfigError, match=r"'sprot'.*Did you mean 'sport'"):
        asked(make_rationale_task(LABELS), "sprot")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"n": 0}, "n = 0 must be at least 1"),
        ({"draw": -1}, "draw = -1 must be 0 or more"),
        ({"instruction": "Why {verbalization}?"}, "lacks {n}"),
        ({"instruction": "Name {n}."}, "lacks {verbalization}"),
    ],
)
def test_questions_that_cannot_be_asked_are_refused(more, words):
    with pytest.raises(ConfigError, match=words):
        make_rationale_task(LABELS, **more)


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("1. a\n2. b", {"texts": ["a", "b"]}),
        (Answer("1. a\n2. b", finish="length"), {"texts": ["a"]}),
        (Answer("1. a", finish="length"), {"failed": "truncated", "detail": "1. a"}),
        (Failure("timeout", "late"), {"failed": "timeout", "detail": "late"}),
        ("", {"failed": "empty", "detail": ""}),
        ("I'm sorry, but I can't help with that.", {"failed": "refused", "detail": "I'm sorry, but I can't help with that."}),
        (
            "I'm sorry, but, as an AI, I can't help with that.",
            {"failed": "refused", "detail": "I'm sorry, but, as an AI, I can't help with that."},
        ),
        ("I'm sorry.\nI can't help with that.", {"failed": "refused", "detail": "I'm sorry.\nI can't help with that."}),
        ("I'm sorry, but I can only name these:\n1. a\n2. b", {"texts": ["a", "b"]}),
        (None, {"failed": "malformed", "detail": "the model returned NoneType, not a string"}),
    ],
)
def test_an_answer_gives_reasons_or_says_why_not(answer, found):
    assert parse_rationales(answer, 3) == found


@pytest.mark.filterwarnings("ignore:Task supports sharding")
def test_reasons_come_through_the_factory_of_spacy_llm():
    model = {"@llm_models": "synthesizrr.Scripted.v1", "answers": ["1. a goal\n2. a race"]}
    task = {"@llm_tasks": "synthesizrr.Rationale.v1", "labels": "sport,firms", "n": 2}
    nlp = spacy.blank("en")
    nlp.add_pipe("llm", config={"task": task, "model": model})
    assert [doc._.synthesizrr_rationales for doc in nlp.pipe(["sport", "firms"])] == [{"texts": ["a goal", "a race"]}] * 2


# ── task files


@pytest.mark.parametrize("mode", ["s3-seed", "zerogen", "extrapolate"])
def test_a_task_files_section_survives_the_text_of_a_config(spec, mode):
    task = resolve(task_config(spec, mode=mode))
    assert (task.words.field, task.words.answer_header) == ("hypothesis", "Sentence:")
    carried = {"premise": "Premise"} | ({"source_text": "Source text"} if mode == "extrapolate" else {})
    assert dict(task.words.carried) == carried
    assert pickle.loads(pickle.dumps(task)).prompt_template == task.prompt_template


def test_a_path_and_its_section_make_the_same_tasks(spec):
    path = str(spec.path)
    for made, mode in ((make_stepbystep_task(task=path), "s3-seed"), (make_extrapolate_task(task=path), "extrapolate")):
        assert made.prompt_template == resolve(task_config(spec, mode=mode)).prompt_template
    assert make_rationale_task(task=path).prompt_template == resolve(rationale_config(spec, n=20)).prompt_template


def test_words_of_the_task_file_go_before_the_defaults(tmp_path):
    words = {
        "rationale_instruction": "Nenne {n} Gründe für Sätze, {verbalization}.",
        "stepbystep_instruction": "Schreibe einen Satz, {verbalization}.",
        "basis_instruction": "Nutze die Gründe.",
        "extrapolate_instruction": "Schreibe einen ähnlichen Satz, {verbalization}.",
        "example_header": "Beispiel:",
        "avoid_instruction": "Nicht: {verbalization}.",
    }
    told = "".join(f'  {name}: "{text}"\n' for name, text in words.items())
    (tmp_path / "task.yml").write_text(TASK.replace("corpus:", f"{told}corpus:"), encoding="utf-8")
    spec = read_task(tmp_path)
    assert asked(resolve(rationale_config(spec, n=5)), "other") == "Nenne 5 Gründe für Sätze, that says something else."
    written = prompt_of(resolve(task_config(spec, mode="s3-seed")), label="other", rationales=REASONS)
    assert "Schreibe einen Satz, that says something else. Nutze die Gründe." in written
    like = prompt_of(resolve(task_config(spec, mode="extrapolate")), label="other", parent="P", avoid=["A"])
    assert like == "Beispiel: P\n\nSchreibe einen ähnlichen Satz, that says something else. Nicht: A.\n\nSentence:"
    refined = prompt_of(resolve(task_config(spec, mode="zero-shot")), label="other", passage="P", avoid=["A"])
    assert "Write a sentence that says something else. Nicht: A." in refined


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("rationale_instruction: Name reasons {verbalization}.", "{n} is missing"),
        ("extrapolate_instruction: Write one more.", "{verbalization} is missing"),
        ("basis_instruction: Use {n} of them.", "unknown placeholder '{n}'; there are none here (in basis_instruction)"),
        ("avoid_instruction: Not {label}.", "unknown placeholder '{label}'; the only one is {verbalization} (in avoid_instruction)"),
    ],
)
def test_words_without_their_places_are_refused(tmp_path, line, words):
    (tmp_path / "task.yml").write_text(TASK.replace("corpus:", f"  {line}\ncorpus:"), encoding="utf-8")
    with pytest.raises(TaskFileError) as error:
        read_task(tmp_path)
    assert words in str(error.value)


def test_words_that_are_not_there_leave_the_fingerprint_as_it_was(tmp_path, spec):
    before = spec.fingerprint()
    (tmp_path / "task.yml").write_text(TASK.replace("corpus:", '  example_header: ""\ncorpus:'), encoding="utf-8")
    assert read_task(tmp_path).fingerprint() == before
    (tmp_path / "task.yml").write_text(TASK.replace("corpus:", '  example_header: "E:"\ncorpus:'), encoding="utf-8")
    assert read_task(tmp_path).fingerprint() != before
