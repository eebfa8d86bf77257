"""The model card: what a student is, how it was made, how good it is and where that ends. Plain Markdown.

It holds no passage, seed or row, no path of a machine and no secret; whatever comes from the user's files is escaped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from spacy_synthesizrr.students.arms import MAIN
from spacy_synthesizrr.students.reviewed import HUMAN, LEFT_OUT, SUGGESTION, UNREVIEWED
from spacy_synthesizrr.students.scores import NOTHING, said
from spacy_synthesizrr.students.table import DEV_THRESHOLD, FEW, FEW_ROWS, SPACY_THRESHOLD, USUAL, WORSE, between, grew
from spacy_synthesizrr.students.takehome.markdown import escape, table
from spacy_synthesizrr.taskfile import TaskSpec

MEGA = 1_000_000
EACH = 1000  # documents that costs are given for
SOURCES = {
    HUMAN: "chosen by people",
    SUGGESTION: "a tie between people that the suggestion broke",
    UNREVIEWED: "asked of the teacher, looked at by nobody",
    LEFT_OUT: "left out",
}


@dataclass(frozen=True)
class Facts:
    """Everything that a card tells.

    task (TaskSpec): Labels and definitions.
    asked (Mapping[str, str]): run, strategy, store, embedder, teacher, teacher_model, teacher_kind, student.
    exported (Mapping), trained (Mapping), evaluation (Mapping): export.json, student.json and evaluation.json.
    takehome (Mapping): speed and teacher, see `steps.takehome`.
    versions (Mapping[str, str]): Of packages.
    meta (Mapping): Of the pipeline.
    """

    task: TaskSpec
    asked: Mapping[str, str]
    exported: Mapping[str, Any]
    trained: Mapping[str, Any]
    evaluation: Mapping[str, Any]
    takehome: Mapping[str, Any]
    versions: Mapping[str, str]
    meta: Mapping[str, Any]


def load_line(name: str) -> str:
    """RETURNS (str): How the student is loaded, from a folder or by the name of its package."""
    return f'nlp = spacy.load("{name}")'


def card(facts: Facts) -> str:
    """RETURNS (str): The card."""
    parts = (_head, _labels, _use, _rows, _method, _scores, _calibration, _speed, _teacher, _limits, _versions)
    return "\n\n".join("\n".join(part(facts)) for part in parts) + "\n"


def _head(facts: Facts) -> Iterator[str]:
    kind = "one label per text" if facts.task.exclusive else "any number of labels per text"
    yield f"# {escape(facts.meta['name'])}"
    yield ""
    yield (
        f"A text classifier for spaCy, {kind}, language `{facts.exported['lang']}`, for the task {escape(facts.task.name)}. It learned "
        "from synthetic rows that were made by spacy-synthesizrr, as told below."
    )


def _labels(facts: Facts) -> Iterator[str]:
    yield "## Labels"
    yield ""
    rows = facts.exported["arms"][0]["labels"]
    yield table(
        ("label", "what belongs there", "rows learned from"),
        ((label, about.definition or about.verbalization, f"{rows[label]:,}") for label, about in facts.task.labels.items()),
        words=2,
    )


def _use(facts: Facts) -> Iterator[str]:
    yield "## How to use it"
    yield ""
    yield f"```python\nimport spacy\n\n{load_line('student')}\ndoc = nlp(text)"
    if facts.task.exclusive:
        yield "label = max(doc.cats, key=doc.cats.get)\n```"
    else:
        yield 'thresholds = nlp.meta["synthesizrr"]["finish"]["thresholds"]'
        yield "labels = [label for label, score in doc.cats.items() if score >= thresholds[label]]\n```"
    yield ""
    yield "It is a plain spaCy pipeline. Inside another one: `other.add_pipe(name, source=nlp)`, with `name` from `nlp.pipe_names`."
    names = [spec.name for spec in facts.task.fields]
    if len(names) > 1:
        yield f"It reads {len(names)} fields, one a line, in this order: {', '.join(map(escape, names))}."


def _rows(facts: Facts) -> Iterator[str]:
    exported = facts.exported
    yield "## What it learned from"
    yield ""
    yield f"{exported['arms'][0]['rows']:,} synthetic rows. Who chose their labels:"
    yield ""
    sources = exported["label_sources"].items()
    yield table(("label of the row", "rows"), ((SOURCES.get(name, name), f"{count:,}") for name, count in sources))


def _method(facts: Facts) -> Iterator[str]:
    asked = facts.asked
    yield "## How it was made"
    yield ""
    named = {
        "strategy": "strategy", "teacher": "teacher", "teacher_model": "teacher's model", "store": "store of passages",
        "embedder": "embedder", "student": "kind of student",
    }  # fmt: skip
    rows = [(title, asked[name]) for name, title in named.items() if asked.get(name)]
    chosen = facts.trained["chosen"]
    steps = facts.trained["arms"][0]["steps"]
    by = "the best on dev" if chosen["dev"] is not None else "the first; there were no dev rows to choose by"
    rows += [("updates", f"{steps:,}"), ("training seed", f"{chosen['seed']}, {by} of {len(facts.trained['arms'][0]['seeds'])}")]
    yield table(("what", "value"), rows, words=2)


def _scores(facts: Facts) -> Iterator[str]:
    found, metric = facts.evaluation, facts.evaluation["metric"]
    yield "## Scores"
    yield ""
    if found["why"]:
        dev = "Dev scores are too high, since dev chose the models." if _by_dev(facts) else "There were no dev rows either."
        yield f"Not tested: {escape(found['why'])}. {dev}"
        yield ""
    rows = [_arm(arm) for arm in found["arms"] if arm["run"]]
    yield table(("learned from", "rows", "updates", f"dev {metric}, %", f"test {metric}, %", "95 % interval", "ECE, %"), rows)
    yield ""
    if away := [arm for arm in found["arms"] if not arm["run"]]:
        yield from (f"* {escape(arm['name'])}: {escape(arm['why'])}" for arm in away)
        yield ""
    if found["chosen"]:
        score = found["chosen"]["intervals"]["score"]
        yield (
            f"Mean ± standard deviation over training seeds, {found['rows']:,} test rows. This very student has "
            f"{100 * score['value']:.1f} % on test, 95 % interval {between(score)} (bootstrap over test rows)."
            + (f" {FEW_ROWS}" if found["rows"] < FEW else "")
        )
        answer = found["baselines"]["majority"]
        yield f"Always answering {escape(answer['label'])} would give {100 * answer['score']:.1f} %."
        per_label = found["chosen"]["per_label"].items()
        yield ""
        yield table(
            ("label", "precision, %", "recall, %", "F, %", "test rows"),
            ((label, *(f"{100 * one[key]:.1f}" for key in ("p", "r", "f")), one["rows"]) for label, one in per_label),
        )


def _arm(arm: Mapping[str, Any]) -> tuple[str, ...]:
    name = f"{arm['name']} (this student)" if arm["name"] == MAIN else arm["name"]
    measured = (said(arm["dev"]), said(arm["test"]), between(arm["interval"]), said(arm["ece"]))
    return (name, f"{arm['rows']:,}", f"{arm['steps']:,}", *measured)


def _calibration(facts: Facts) -> Iterator[str]:
    chosen = facts.evaluation["chosen"] or {}
    found, done = chosen.get("calibration"), _finish(facts)
    yield "## Its scores as probabilities"
    yield ""
    if found:
        ece = found["ece"]
        before = "" if found["temperature"] == 1.0 else f" With its scores as training left them it would be {100 * ece['before']:.1f} %."
        yield f"Expected calibration error on test: {100 * ece['after']:.1f} %.{before}"
    else:
        yield "Not measured: there are no test rows."
    if done.get("temperature", 1.0) == 1.0:
        yield f"Its scores are as training left them. {escape(done.get('why', ''))}".strip()
    else:
        yield (
            f"The temperature {done['temperature']:.2f} was fitted on {done['rows']:,} dev rows, which had chosen the model before. "
            f"{escape(done['why'])}".strip()
        )
        if found and grew(found["ece"]):
            yield WORSE
    if done.get("thresholds"):
        yield ""
        yield table(("label", "given from score"), ((label, f"{value:.3f}") for label, value in done["thresholds"].items()))
        yield ""
        told = [DEV_THRESHOLD] if _by_dev(facts) else []
        told += [SPACY_THRESHOLD] if _moved(done) else []
        yield " ".join([*map(escape, done["notes"]), *told])


def _speed(facts: Facts) -> Iterator[str]:
    speed = facts.takehome["speed"]
    machine = speed["machine"]
    yield "## Speed and size"
    yield ""
    rows = [
        ("one text, median", f"{speed['p50_ms']:.2f} ms"),
        ("one text, 95 % are faster than", f"{speed['p95_ms']:.2f} ms"),
        (f"many texts, batches of {speed['batch_size']:,}", f"{speed['docs_per_second']:,.0f} texts a second"),
        ("learned numbers", f"{speed['parameters']:,}"),
        ("on disk", f"{speed['bytes'] / MEGA:.1f} MB"),
    ]
    yield table(("measured", "value"), rows)
    yield ""
    threads = ", ".join(f"{name} {value}" for name, value in machine["threads"].items()) or "not limited"
    where = machine["cpu"] if machine["device"] == "cpu" else f"{machine['device']} beside {machine['cpu']}"
    yield (
        f"On {escape(where)} ({machine['cores']} cores, threads: {escape(threads)}), with {speed['alone']:,} and "
        f"{speed['streamed']:,} texts of {speed['texts']}, {speed['words']:.0f} tokens long on average; median of "
        f"{speed['repeats']} measurements, warm."
    )


def _teacher(facts: Facts) -> Iterator[str]:
    teacher = facts.takehome["teacher"]
    yield "## What the teacher costs beside it"
    yield ""
    rows = []
    if spent := teacher["measured"]:
        rows.append(("measured in this run, 1,000 requests", *_tokens(spent)))
    if estimate := teacher["labelling"]:
        rows.append(("estimate: labelling 1,000 documents with the teacher", *_tokens(estimate)))
    seconds = EACH / facts.takehome["speed"]["docs_per_second"]
    rows.append((f"this student: labelling {EACH:,} documents in {seconds:.2g} s on the machine above", "none", "none", "none"))
    yield table(("what", "prompt tokens", "answer tokens", "money"), rows)
    yield ""
    yield escape(teacher["note"]) or "Money is in the currency of the teacher's price."


def _tokens(found: Mapping[str, Any]) -> tuple[str, str, str]:
    cost = NOTHING if found["cost"] is None else f"{found['cost']:.4f}"
    return f"{found['prompt_tokens']:,.0f}", f"{found['answer_tokens']:,.0f}", cost


def _limits(facts: Facts) -> Iterator[str]:
    yield "## Limits"
    yield ""
    yield "* It learned from synthetic rows: it knows what the teacher and the corpus know, with their mistakes and their slant."
    yield f"* {_choice(facts)}"
    yield "* The interval is about test rows alone, not about other training seeds or other synthetic rows."
    if facts.evaluation["dev_in_test"]:
        yield f"* {facts.evaluation['dev_in_test']:,} dev rows stand in test too: its test scores are too high."
    if unseen := facts.exported["label_sources"].get(UNREVIEWED, 0):
        yield f"* Nobody looked at {unseen:,} of the rows that it learned from."


def _choice(facts: Facts) -> str:
    """What dev chose, and which scores are fair therefore."""
    if not _by_dev(facts):
        return "There were no dev rows to choose by. Test scores are fair only for texts like those of test."
    done = _finish(facts)
    chosen = ["its temperature"] if done.get("temperature", 1.0) != 1.0 else []
    chosen += ["its thresholds"] if _moved(done) else []
    named = " and ".join(filter(None, (", ".join(["the model", *chosen[:-1]]), *chosen[-1:])))
    return f"Dev chose {named}; only test scores are fair, and only for texts like those of test."


def _finish(facts: Facts) -> Mapping[str, Any]:
    """What was done to this student after training; empty where nobody finished it."""
    found: Mapping[str, Any] = (facts.evaluation["chosen"] or {}).get("finish") or facts.meta.get("synthesizrr", {}).get("finish", {})
    return found


def _moved(done: Mapping[str, Any]) -> bool:
    return any(value != USUAL for value in done.get("thresholds", {}).values())


def _by_dev(facts: Facts) -> bool:
    return facts.trained["chosen"]["dev"] is not None


def _versions(facts: Facts) -> Iterator[str]:
    yield "## Versions"
    yield ""
    yield table(("package", "version"), facts.versions.items(), words=2)
