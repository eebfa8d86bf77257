"""The scripted teacher: answers by rule or from a list, failures on demand. For tests and dry runs."""

from __future__ import annotations

import re
from typing import Any, Dict, Iterable, List

from spacy_synthesizrr.errors import ConfigError, choices
from spacy_synthesizrr.models.answers.responses import request_hash
from spacy_synthesizrr.prompts import FAILURES, Answer, Failure, Prompt

NAME = "synthesizrr.Scripted.v1"
PLACEHOLDERS = ("label", "passage", "draw", "id", "prompt")
FAIL_KEYS = ("every", "containing", "times", "kind")
KEPT_HISTORY = 10_000  # prompts: a dry run over a large plan must not fill the memory
_PLACEHOLDER = re.compile(r"\{(\w*)\}")


class ScriptedTeacher:
    """Answers as told. Not an LLM.

    answers (List[str]): Answers in order of the calls, over and over; without them the template answers.
    template (str): With {label}, {passage}, {draw}, {id}, {prompt}.
    fail (Dict[str, Any]): "every" n-th prompt fails, or prompts "containing" a text (both given: either); at most
        "times" failures; "kind" is one of `prompts.FAILURES`, "server_error" by default.

    history (List[str]): The first prompts that it was asked, in order.
    """

    name = "scripted (answers by rule; not an LLM)"
    copies = False
    writes_without_passage = True
    by_rule = True
    context_length: int | None = None

    def __init__(self, answers: List[str] | None = None, template: str = "{label}: {passage}", fail: Dict[str, Any] | None = None) -> None:
        _check(answers, template, fail or {})
        self.answers, self.template, self.fail = answers, template, dict(fail or {})
        self.history: List[str] = []
        self.calls = self.failures = 0

    @property
    def identity(self) -> str:
        """RETURNS (str): Name and parameters, for request hashes. Failures do not change what an answer says."""
        return f"{NAME}(answers={self.answers!r}, template={self.template!r})"

    def __call__(self, prompts: Iterable[Iterable[Any]]) -> Iterable[Iterable[Any]]:
        """Answer the prompts of each Doc, lazily and in order.

        prompts (Iterable[Iterable[str]]): Prompts per Doc.
        YIELDS (List[Answer | Failure]): One per prompt.
        """
        for group in prompts:
            yield [self.answer(prompt) for prompt in group]

    def answer(self, prompt: str) -> Answer | Failure:
        """RETURNS (Answer | Failure): What the script says for this call."""
        number = self.calls
        self.calls += 1
        if len(self.history) < KEPT_HISTORY:
            self.history.append(prompt)
        request = request_hash(prompt, identity=self.identity, by_rule=True)
        if self._fails(prompt):
            self.failures += 1
            return Failure(self.fail.get("kind", "server_error"), "the script says so", request=request)
        text = self.answers[number % len(self.answers)] if self.answers else self._fill(prompt)
        return Answer(text, model=NAME, request=request, finish="stop")

    def _fails(self, prompt: str) -> bool:
        if self.failures >= self.fail.get("times", self.failures + 1):
            return False
        every, containing = self.fail.get("every"), self.fail.get("containing")
        return bool(every and self.calls % every == 0) or bool(containing and containing in prompt)

    def _fill(self, prompt: str) -> str:
        """One pass over the template, so that braces in a passage stay what they are; where a list is asked for, a list."""
        if items := isinstance(prompt, Prompt) and prompt.fields.get("items"):
            return "\n".join(f"{number}. {prompt.label} in way {number}".replace("  ", " ") for number in range(1, items + 1))
        values = {"prompt": str(prompt), "label": "", "passage": "", "draw": "0", "id": ""}
        if isinstance(prompt, Prompt):
            values.update(label=prompt.label, passage=prompt.passage, draw=str(prompt.draw), id=prompt.id)
        return _PLACEHOLDER.sub(lambda found: values[found.group(1)], self.template)


def _check(answers: List[str] | None, template: str, fail: Dict[str, Any]) -> None:
    if answers is not None and not answers:
        raise ConfigError(f"{NAME}: answers is empty. Give at least one answer, or leave it out to answer by template.")
    for name in _PLACEHOLDER.findall(template):
        if name not in PLACEHOLDERS:
            raise ConfigError(f"{NAME}: template has the unknown placeholder '{{{name}}}'. {choices(name, PLACEHOLDERS)}")
    for key in fail:
        if key not in FAIL_KEYS:
            raise ConfigError(f"{NAME}: fail has the unknown key '{key}'. {choices(key, FAIL_KEYS)}")
    kind = fail.get("kind", "server_error")
    if kind not in FAILURES:
        raise ConfigError(f"{NAME}: fail.kind = '{kind}' is unknown. {choices(kind, FAILURES)}")
    every = fail.get("every", 1)
    if not isinstance(every, int) or every < 1:
        raise ConfigError(f"{NAME}: fail.every = {every!r} must be a whole number from 1.")


def make_scripted(
    answers: List[str] | None = None, template: str = "{label}: {passage}", fail: Dict[str, Any] | None = None
) -> ScriptedTeacher:
    """Make the scripted teacher; see `ScriptedTeacher`."""
    return ScriptedTeacher(answers, template, fail)
