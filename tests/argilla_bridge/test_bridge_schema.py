import pytest
from hypothesis import given
from hypothesis import strategies as st

from argilla_bridge.schema import RESERVED, field_names, review_schema
from argilla_bridge.settings import ReviewSettings
from argilla_bridge.showing.guidelines import LONGEST, guidelines
from spacy_synthesizrr.errors import TaskFileError
from spacy_synthesizrr.taskfile import TaskSpec

LABELS = {"rain": {"verbalization": "about rain", "definition": "Water from above."}, "sun": {"verbalization": "about <b>sun</b>"}}
TEXT = [{"name": "text", "generated": True}]
PAIR = [{"name": "premise", "from": "passage"}, {"name": "claim", "generated": True}]
FAST, CAREFUL = ReviewSettings(), ReviewSettings(mode="careful")


def make_task(tmp="/t", *, labels=LABELS, fields=TEXT, exclusive=True, name="weather"):
    data = {"path": f"{tmp}/task.yml", "name": name, "labels": labels, "fields": fields, "exclusive": exclusive}
    return TaskSpec.model_validate({**data, "prompt": {"instruction": "Write {verbalization}."}, "seeds": {"path": "seeds.jsonl"}})


def schema(task=None, settings=FAST, **more):
    return review_schema(task or make_task(), settings, dimensions=more.pop("dimensions", {}), **more)


def names_of(made):
    return [shape.name for group in (made.fields, made.questions, made.metadata, made.vectors) for shape in group]


def test_fast_mode_asks_one_required_question_so_that_one_key_submits():
    (question,) = schema().questions
    assert (question.name, question.kind, question.labels, question.required) == ("label", "label", ("rain", "sun", "unusable"), True)


def test_careful_mode_asks_for_label_verdict_correction_and_reason():
    asked = {shape.name: (shape.kind, shape.labels, shape.required) for shape in schema(settings=CAREFUL).questions}
    assert asked == {
        "label": ("label", ("rain", "sun"), True),
        "verdict": ("label", ("keep", "fix", "reject"), True),
        "corrected": ("text", (), False),
        "reason": ("text", (), False),
    }


@pytest.mark.parametrize(("settings", "required"), [(FAST, True), (CAREFUL, False)])
def test_a_task_with_several_labels_per_row_asks_for_several(settings, required):
    question = schema(make_task(exclusive=False), settings).question("label")
    assert (question.kind, question.required) == ("multi_label", required)


def test_a_pair_task_shows_every_field_before_passage_and_seed():
    assert [(shape.name, shape.required) for shape in schema(make_task(fields=PAIR)).fields] == [
        ("premise", True), ("claim", True), ("passage", False), ("seed", False),
    ]  # fmt: skip


def test_ties_show_the_answers_and_go_to_one_person():
    settings = ReviewSettings(min_submitted=3)
    made = schema(settings=settings, adjudication=True)
    assert made.fields[-1].name == "answers"
    assert made.min_submitted == 1
    assert schema(settings=settings).min_submitted == 3


def test_every_field_is_markdown_because_the_page_takes_plain_ones_for_html():
    assert all(shape.markdown for shape in schema(adjudication=True).fields)


def test_vectors_come_where_there_are_any():
    assert schema().vectors == ()
    assert [(shape.name, shape.dimensions) for shape in schema(dimensions={"text_vector": 8, "passage_vector": 8}).vectors] == [
        ("text_vector", 8), ("passage_vector", 8),
    ]  # fmt: skip


@given(
    st.lists(
        st.one_of(st.sampled_from(sorted(RESERVED)), st.from_regex(r"(text|label|label_|seed_)_?", fullmatch=True)), min_size=1, unique=True
    )
)
def test_no_two_names_collide_whatever_the_fields_are_called(own):
    fields = [{"name": name, "generated": place == 0} for place, name in enumerate(own)]
    task = make_task(fields=fields)
    for settings in (FAST, CAREFUL):
        made = names_of(schema(task, settings, adjudication=True, dimensions={"text_vector": 1, "passage_vector": 1}))
        assert len(set(made)) == len(made)
    assert {old: new for old, new in field_names(task).items() if old not in RESERVED and not new.endswith("_")} == {
        name: name for name in own if name not in RESERVED and not name.endswith("_")
    }


def test_the_fields_of_the_default_task_keep_their_names():
    assert field_names(make_task()) == {"text": "text"}


def test_the_fingerprint_follows_what_answers_depend_on():
    base = schema()
    others = [
        schema(make_task(name="other")),
        schema(settings=CAREFUL),
        schema(make_task(exclusive=False)),
        schema(make_task(fields=PAIR)),
        schema(make_task(labels={**LABELS, "snow": {"verbalization": "about snow"}})),
    ]
    assert len({base.fingerprint(), *(other.fingerprint() for other in others)}) == 6


def test_the_fingerprint_does_not_follow_guidelines_vectors_or_people():
    reworded = make_task(labels={name: {"verbalization": "about something else"} for name in LABELS})
    more = schema(reworded, ReviewSettings(min_submitted=4), dimensions={"text_vector": 8})
    assert more.fingerprint() == schema().fingerprint()
    assert more.guidelines != schema().guidelines


def test_a_label_called_unusable_is_refused_where_it_would_be_the_answer():
    task = make_task(labels={**LABELS, "unusable": {"verbalization": "useless"}})
    with pytest.raises(TaskFileError, match="task.yml: The label 'unusable' .* Rename the label"):
        schema(task)
    assert "unusable" in schema(task, CAREFUL).labels


def test_more_labels_than_the_server_takes_are_refused():
    many = make_task(labels={f"label{number}": {"verbalization": "x"} for number in range(500)})
    with pytest.raises(TaskFileError, match="500 labels are too many to review: 499 at most"):
        schema(many)
    assert len(schema(many, CAREFUL).labels) == 500


def test_a_label_longer_than_the_server_takes_is_refused():
    with pytest.raises(TaskFileError, match="too long to review"):
        schema(make_task(labels={"x" * 201: {"verbalization": "x"}, "sun": {"verbalization": "x"}}))


def test_guidelines_define_every_label_and_are_harmless():
    text = guidelines(make_task(), FAST, {"rain": ["It pours.\nAll <i>day</i>."]})
    assert "- **rain**: Water from above.\n    - For example: It pours. All &#60;i&#62;day&#60;/i&#62;." in text
    assert "- **sun**: about &#60;b&#62;sun&#60;/b&#62;" in text
    assert "**unusable**" in text


def test_guidelines_say_which_keys_answer_where_one_key_does():
    assert "Enter takes it. The number beside another label" in guidelines(make_task(), FAST, {})
    assert "number" not in guidelines(make_task(exclusive=False), FAST, {})
    assert "**fix**" in guidelines(make_task(), CAREFUL, {})


@pytest.mark.parametrize("mode", ["fast", "careful"])
def test_guidelines_of_a_file_speak_of_cells_and_not_of_keys(mode):
    text = guidelines(make_task(exclusive=False), ReviewSettings(mode=mode, backend="file"), {})
    assert "Fill in the empty cells" in text
    assert not any(word in text for word in ("Enter", "Backspace", "are marked", "page"))


def test_guidelines_of_a_file_show_labels_as_they_are_to_be_written():
    labels = {name: {"verbalization": "a & b"} for name in ("world_news", "Sci*Tech")}
    text = guidelines(make_task(labels=labels), ReviewSettings(backend="file"), {"world_news": ["One_two\n<3>"]})
    assert "- `world_news`: a & b\n    - For example: One_two <3>\n- `Sci*Tech`: a & b" in text
    assert "in front of one" not in text


def test_guidelines_of_a_file_warn_of_labels_that_a_spreadsheet_changes():
    labels = {name: {"verbalization": name} for name in ("true", "false")}
    assert "in front of one" in guidelines(make_task(labels=labels), ReviewSettings(backend="file"), {})
    assert "in front of one" not in guidelines(make_task(labels=labels), FAST, {})


def test_guidelines_of_a_pair_name_the_other_field():
    assert "Read it together with **Premise**" in guidelines(make_task(fields=PAIR), CAREFUL, {})


@pytest.mark.parametrize(("labels", "examples"), [(2, 3), (8, 2), (14, 1), (20, 0)])
def test_guidelines_drop_examples_before_definitions(labels, examples):
    names = [f"label{number}" for number in range(labels)]
    task = make_task(labels={name: {"verbalization": "x", "definition": "d" * 200} for name in names})
    text = guidelines(task, FAST, {name: ["word " * 79] * 5 for name in names})
    assert len(text) <= LONGEST
    assert text.count("For example") == labels * examples
    assert all(f"**{name}**" in text for name in names)


def test_guidelines_that_are_too_long_without_examples_are_cut_at_a_line():
    labels = {f"label{number}": {"verbalization": "x", "definition": "<" * 300} for number in range(30)}
    text = guidelines(make_task(labels=labels), FAST, {})
    assert len(text) <= LONGEST
    lines = text.splitlines()
    assert "cut here" in lines[-1]
    assert all(line.endswith("&#60;") for line in lines if line.startswith("- **label"))


@given(st.integers(0, 40), st.text(max_size=60), st.text(max_size=200))
def test_guidelines_never_exceed_what_the_server_takes(count, definition, example):
    labels = {**LABELS, **{f"l{number}": {"verbalization": "x", "definition": definition * 5} for number in range(count)}}
    task = make_task(labels=labels)
    assert len(guidelines(task, FAST, {label: [example] * 5 for label in labels})) <= LONGEST
