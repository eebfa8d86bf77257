"""From a planned candidate to a Prompt.

Templates are Jinja files, compiled in a sandbox. Passages, seeds and shots are only ever values of variables: whatever
stands in them ("{{ }}", HTML, another template) arrives in the prompt as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import jinja2.meta
import jinja2.sandbox

from spacy_synthesizrr.answer_spans import ANSWERABLE
from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.errors import ConfigError, choices
from spacy_synthesizrr.prompts import Prompt
from spacy_synthesizrr.sourcing.context import cut_context
from spacy_synthesizrr.tasks.words import PLACEHOLDER, LabelWords, PromptWords, join_phrases

TEMPLATES = Path(__file__).parent / "templates"
VARIABLES = (
    "answer_header", "avoid", "basis_instruction", "definition", "document_header", "fields", "instruction", "labels", "length_header",
    "length_hint", "max_words", "parent", "passage", "rationales", "refusal_instruction", "refusal_marker", "shots", "verbalization",
)  # fmt: skip
_DUMMY: dict[str, Any] = {
    **{name: name for name in VARIABLES},
    "fields": [{"name": "field", "header": "Field", "text": "text"}],
    "labels": ["label"],
    "max_words": 1,
    "rationales": [{"header": "Reasons", "texts": ["text"]}],
    "shots": [{"document": "document", "text": "text", "fields": [{"name": "field", "header": "Field", "text": "text"}]}],
}


def read_template(name: str) -> str:
    """RETURNS (str): The text of a template that comes with the package, such as "refine.v1"."""
    return (TEMPLATES / f"{name}.jinja").read_text(encoding="utf-8")


def compile_template(text: str, *, name: str, needs: Sequence[str] = (), tried: Mapping[str, Any] = _DUMMY) -> jinja2.Template:
    """Compile a template and try it, so that a slip shows when the pipeline is built and not at the first prompt.

    text (str): The template.
    name (str): What errors call it.
    needs (Sequence[str]): Variables that it must show.
    tried (Mapping[str, Any]): The variables that it may use, with values to try it with.
    RETURNS (jinja2.Template): Ready to render.
    RAISES (ConfigError): On one line: for a syntax error, an unknown variable, or a missing one.
    """
    environment = jinja2.sandbox.SandboxedEnvironment(undefined=jinja2.StrictUndefined, keep_trailing_newline=False)
    try:
        used = jinja2.meta.find_undeclared_variables(environment.parse(text))
        template = environment.from_string(text)
    except jinja2.TemplateSyntaxError as error:
        raise ConfigError(f"Template '{name}', line {error.lineno}: {_one_line(error)} Correct it, or leave `template` out.") from error
    for variable in sorted(used - set(tried) - set(environment.globals)):
        where = f"line {_line_of(text, variable)}"
        raise ConfigError(f"Template '{name}', {where}: unknown variable '{variable}'. {choices(variable, sorted(tried))}")
    for variable in needs:
        if variable not in used:
            raise ConfigError(f"Template '{name}' never shows the variable '{variable}'. Put {{{{ {variable} }}}} where it belongs.")
    try:
        template.render(tried)
    except Exception as error:  # whatever a template can raise: undefined attributes, the sandbox, a filter's own errors
        raise ConfigError(f"Template '{name}' cannot be rendered: {_one_line(error)} {choices('', sorted(tried))}") from error
    return template


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") + "."


def _line_of(text: str, variable: str) -> int:
    return next((number for number, line in enumerate(text.splitlines(), 1) if variable in line), 1)


def render_prompt(
    template: jinja2.Template,
    candidate: Candidate,
    *,
    words: PromptWords,
    labels: Sequence[LabelWords],
    passage: str = "",
    fields: Mapping[str, str] | None = None,
    shots: Sequence[Mapping[str, Any]] = (),
    parent: str = "",
    avoid: Sequence[str] = (),
    rationales: Sequence[Mapping[str, Any]] = (),
) -> Prompt:
    """Render the prompt of one candidate.

    candidate (Candidate): Its labels, draw and id.
    words (PromptWords): The phrases around it.
    labels (Sequence[LabelWords]): The words of its labels, in their order.
    passage (str): The passage to refine, empty without one.
    fields (Mapping[str, str]): Carried fields by name; those that `words.carried` names are shown.
    shots (Sequence[Mapping]): {"text", "document", "fields"}.
    parent (str): A text of these labels that another one shall be like.
    avoid (Sequence[str]): Verbalizations of labels for which the text must not be taken.
    rationales (Sequence[Mapping]): {"header", "text"}: reasons and attributes to write from.
    RETURNS (Prompt): Text and chat messages; with `chat_turns` each shot is a turn of user and assistant.
    """
    values = _values(words, candidate.labels, labels)
    passage = cut_context(passage, words.max_context)
    asked = {"passage": passage, "fields": _shown(fields or {}, words), "parent": parent, "avoid": words.avoid(avoid)}
    asked["rationales"] = _grouped(rationales)
    shown = [_shot(shot, words) for shot in shots]
    text = template.render({**values, **asked, "shots": shown}).strip()
    messages = _turns(template, values, asked, shown) if words.chat_turns and shown else ()
    about = {
        "labels": values["labels"], "definition": values["definition"], "max_words": words.max_words,
        "refusal_marker": words.refusal_marker, "length_hint": words.length_hint, "mode": words.mode,
    }  # fmt: skip
    told = values["verbalization"]
    draw, id, key = candidate.draw, candidate.id, candidate.key
    return Prompt(text, messages=messages, draw=draw, id=id, key=key, label=told, passage=passage, fields=about)


def check_labels(template: jinja2.Template, words: PromptWords, labels: Mapping[str, LabelWords], *, name: str) -> None:
    """Refuse a template whose prompts are the same for two labels: what a teacher writes then would be mislabelled.

    labels (Mapping[str, LabelWords]): The task's labels; with fewer than two of them, two made up ones are tried.
    name (str): What errors call the template.
    RAISES (ConfigError): Names the two labels.
    """
    if [*labels] == [ANSWERABLE]:
        return  # question answering: there is no label to be told
    never = {"avoid": ""}  # it names another label
    tried = labels if len(labels) > 1 else {label: LabelWords(f"about {label}") for label in ("a", "b")}
    seen: dict[str, str] = {}
    for label, its_words in tried.items():
        text = template.render({**_DUMMY, **_values(words, [label], [its_words]), **never, "shots": []})
        if text in seen:
            raise ConfigError(
                f"Template '{name}' gives the labels '{seen[text]}' and '{label}' the same prompt, so the teacher is not told the label. "
                f"Put {PLACEHOLDER} into the instruction or {{{{ verbalization }}}} into the template, and give each label its own words."
            )
        seen[text] = label


def _values(words: PromptWords, names: Sequence[str], labels: Sequence[LabelWords]) -> dict[str, Any]:
    """What a template can show beside passage, fields and shots."""
    verbalization = join_phrases([label.verbalization for label in labels])
    return {
        "answer_header": words.answer_header,
        "basis_instruction": words.basis_instruction,
        "definition": " ".join(label.definition for label in labels if label.definition),
        "document_header": words.document_header,
        "instruction": words.instruction.replace(PLACEHOLDER, verbalization),
        "labels": list(names),
        "length_header": words.length_header,
        "length_hint": words.length_hint.rstrip("."),
        "max_words": words.max_words,
        "refusal_instruction": words.refusal_instruction,
        "refusal_marker": words.refusal_marker,
        "verbalization": verbalization,
    }


def _shown(fields: Mapping[str, str], words: PromptWords) -> list[dict[str, str]]:
    return [{"name": name, "header": header, "text": fields[name]} for name, header in words.carried.items() if name in fields]


def _shot(shot: Mapping[str, Any], words: PromptWords) -> dict[str, Any]:
    document = "" if words.mode == "non-retricl" else cut_context(str(shot.get("document") or ""), words.max_context)
    return {"document": document, "text": str(shot["text"]), "fields": _shown(shot.get("fields") or {}, words)}


def _grouped(rationales: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What stands under one header together, in the order in which the headers come."""
    found: dict[str, list[str]] = {}
    for item in rationales:
        found.setdefault(str(item["header"]), []).append(str(item["text"]))
    return [{"header": header, "texts": texts} for header, texts in found.items()]


def _turns(
    template: jinja2.Template, values: Mapping[str, Any], asked: Mapping[str, Any], shots: Sequence[Mapping[str, Any]]
) -> tuple[dict[str, str], ...]:
    """The same template asks each question; a shot's answer is what the assistant said to it."""
    messages = []
    for shot in shots:
        other = {"passage": shot["document"], "fields": shot["fields"], "avoid": "", "rationales": [], "parent": ""}
        question = template.render({**values, **other, "shots": []}).strip()
        messages += [{"role": "user", "content": question}, {"role": "assistant", "content": shot["text"]}]
    return (*messages, {"role": "user", "content": template.render({**values, **asked, "shots": []}).strip()})
