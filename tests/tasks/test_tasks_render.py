"""Templates, prompts and chat messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.candidates import Candidate, Seed
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.tasks.render import compile_template, read_template, render_prompt
from spacy_synthesizrr.tasks.words import LabelWords, PromptWords

SPORT = LabelWords("about sport", "Games and athletes.")
REFINE = compile_template(read_template("refine.v1"), name="refine.v1")
FEWGEN = compile_template(read_template("fewgen.v1"), name="fewgen.v1")


def planned(draw=0):
    return Candidate.plan(task="news", strategy="zero-shot", seed=Seed.make(["sport"], {"text": "x"}), passage_id="p", draw=draw)


def render(template=REFINE, *, labels=(SPORT,), **more):
    words = more.pop("words", None) or PromptWords("Summarise it {verbalization}.", document_header="News:", answer_header="Summary:")
    return render_prompt(template, planned(more.pop("draw", 0)), words=words, labels=labels, **more)


def test_zero_shot_shows_document_instruction_and_answer_header():
    assert str(render(passage="It rained.")) == "News:\nIt rained.\n\nSummarise it about sport.\nSummary:"


def test_length_hint_and_refusal_marker_stand_in_the_prompt():
    words = PromptWords("Do it {verbalization}.", length_hint="one sentence.", refusal_marker="CANNOT")
    text = str(render(words=words, passage="It rained."))
    assert "Do it about sport. Length: one sentence. If the text above cannot serve this, write only: CANNOT\nAnswer:" in text


def test_retricl_shows_passage_and_text_of_each_shot():
    words = PromptWords("Do it {verbalization}.", mode="retricl", document_header="News:", answer_header="Summary:")
    text = str(render(words=words, passage="It rained.", shots=[{"document": "A match.", "text": "They won."}]))
    shot = "News:\nA match.\n\nDo it about sport.\nSummary: They won."
    assert text == f"{shot}\n\nNews:\nIt rained.\n\nDo it about sport.\nSummary:"


def test_non_retricl_shows_texts_only():
    words = PromptWords("Do it {verbalization}.", mode="non-retricl", document_header="News:", answer_header="Summary:")
    text = str(render(words=words, passage="It rained.", shots=[{"document": "A match.", "text": "They won."}]))
    assert text == "Summary: They won.\n\nNews:\nIt rained.\n\nDo it about sport.\nSummary:"


def test_fewgen_shows_no_document():
    text = str(render(FEWGEN, shots=[{"text": "They won."}]))
    assert text == "Summarise it about sport.\n\nSummary: They won.\n\nSummary:"


def test_carried_fields_are_shown_under_their_headers():
    words = PromptWords("Do it {verbalization}.", carried={"premise": "Premise"})
    text = str(render(words=words, passage="It rained.", fields={"premise": "A man sleeps.", "other": "hidden"}))
    assert "Premise: A man sleeps.\nDo it" in text and "hidden" not in text


def test_two_labels_become_one_phrase():
    assert "Summarise it about sport and about firms." in render(labels=(SPORT, LabelWords("about firms")), passage="x")


def test_chat_turns_make_each_shot_a_turn():
    words = PromptWords("Do it {verbalization}.", mode="retricl", chat_turns=True)
    prompt = render(words=words, passage="It rained.", shots=[{"document": "A match.", "text": "They won."}])
    assert [message["role"] for message in prompt.messages] == ["user", "assistant", "user"]
    assert prompt.messages[0]["content"] == "Document:\nA match.\n\nDo it about sport.\nAnswer:"
    assert prompt.messages[1]["content"] == "They won."
    assert prompt.messages[2]["content"] == "Document:\nIt rained.\n\nDo it about sport.\nAnswer:"


def test_without_chat_turns_all_is_one_user_message():
    prompt = render(passage="It rained.", shots=[{"text": "They won."}])
    assert list(prompt.messages) == [{"role": "user", "content": str(prompt)}]


def test_a_prompt_carries_what_a_rule_needs():
    prompt = render(passage="It rained.", draw=3)
    assert (prompt.draw, prompt.id, prompt.label, prompt.passage) == (3, planned(3).id, "about sport", "It rained.")
    assert prompt.fields["definition"] == "Games and athletes." and prompt.fields["labels"] == ["sport"]


def test_a_long_passage_is_cut_at_a_sentence():
    words = PromptWords("Do it {verbalization}.", max_context=6)
    assert render(words=words, passage="It rained all day. Nobody came to see.").passage == "It rained all day."


@pytest.mark.parametrize("text", ["{{ 7 * 7 }}", "{% for x in y %}", "<b>&amp;</b>", "{verbalization}", "{# no #}", "{{ shots }} \\ ${x}"])
def test_markup_in_passages_and_shots_arrives_as_it_is(text):
    words = PromptWords("Do it {verbalization}.", mode="retricl", carried={"premise": "Premise"})
    prompt = render(
        words=words, passage=f"A {text} b", fields={"premise": f"C {text}"}, shots=[{"document": f"D {text}", "text": f"E {text}"}]
    )
    assert all(f"{letter} {text}" in prompt for letter in "ACDE")


@given(st.text(min_size=1, max_size=60).filter(str.strip))
def test_any_passage_stands_in_its_prompt(text):
    words = PromptWords("Do it {verbalization}.", max_context=10_000)
    assert text in str(render(words=words, passage=text)).replace("\r\n", "\n") or "\r" in text


@pytest.mark.parametrize(
    ("template", "parts"),
    [
        ("a\n{{ pasage }} {{ passage }}", ["'mine'", "line 2", "'pasage'", "Did you mean 'passage'?", "'verbalization'"]),
        ("{% if false %}{{ nope }}{% endif %}{{ passage }}", ["'nope'"]),
        ("{% if %}", ["'mine'", "line 1"]),
        ("{% for shot in shots %}{{ shot.txt }}{% endfor %}{{ passage }}", ["'mine'", "txt"]),
        ("{{ passage.__class__.__mro__ }}", ["'mine'", "__class__"]),
        ("{{ instruction }}", ["'mine'", "'passage'"]),
    ],
)
def test_a_template_that_cannot_work_is_refused_on_one_line(template, parts):
    with pytest.raises(ConfigError) as caught:
        compile_template(template, name="mine", needs=("passage",))
    assert "\n" not in str(caught.value)
    assert all(part in str(caught.value) for part in parts)
