"""A run's teacher, whoever asks it: its config, its identity for request hashes, the pipeline around it, and how it is let go of."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spacy_synthesizrr.candidates import digest
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.errors import TeacherError
from spacy_synthesizrr.progress import say
from spacy_synthesizrr.receipts import versions

if TYPE_CHECKING:
    from spacy.language import Language

    from spacy_synthesizrr.models.answers.responses import ResponseStore

COMPONENT = "llm_synthesizrr"
ANSWERS = "answers.sqlite"
UNKNOWN = "price unknown"
GRACE = 5.0  # seconds for requests in flight after Ctrl-C


def teacher(ctx: Context) -> dict[str, Any]:
    """The [teacher] section of the teacher's config. See `teacher_section`."""
    return teacher_section(ctx.config("teacher"), path=ctx.config_path("teacher"))


def teacher_section(config: Mapping[str, Any], *, path: Path) -> dict[str, Any]:
    """The [teacher] section of a config.

    RAISES (TeacherError): When there is none.
    """
    block = config.get("teacher")
    if not isinstance(block, Mapping) or "@llm_models" not in block:
        example = '@llm_models = "synthesizrr.Extractive.v1"'
        raise TeacherError(f"{path}: the section [teacher] with a line such as {example} is missing.")
    return dict(block)


def answers_file(ctx: Context, block: Mapping[str, Any]) -> Path:
    """RETURNS (Path): Where the answers of a run's teacher lie: in the store that its section [teacher] names, else in the run's own."""
    named = block.get("responses")
    return Path(str(named)).expanduser() if named else ctx.shared / ANSWERS


def pipeline_for(ctx: Context, task: Mapping[str, Any], answers: ResponseStore | None = None, *, stage: str = "") -> Language:
    """A blank pipeline with a task of spacy-llm and the run's teacher, whose answers are remembered in the response store.

    task (Mapping): The config section of the task.
    answers (ResponseStore | None): Where answers are remembered, if they are.
    stage (str): For the ledger.
    RAISES (TeacherError): When the teacher cannot be built.
    """
    import spacy

    block = teacher(ctx)
    nlp = spacy.blank(str(ctx.settings["lang"]))
    try:
        nlp.add_pipe(COMPONENT, config={"task": dict(task), "model": block})
    except (ValueError, OSError) as error:  # unknown names and keys; a model that looks for its server when it is built
        said = " ".join(str(error).split())
        raise TeacherError(f"{ctx.config_path('teacher')}: the teacher cannot be built: {said[:600]}") from error
    if answers is not None:
        keep_answers(nlp, ctx, answers, stage=stage)
    return nlp


def keep_answers(nlp: Language, ctx: Context, answers: ResponseStore, *, stage: str) -> None:
    """Let the run's teacher in a pipeline remember its answers; once for a pipeline.

    answers (ResponseStore): Where they are kept. stage (str): For the ledger.
    """
    from spacy_synthesizrr.models.answers.memory import remember

    component: Any = nlp.get_pipe(COMPONENT)
    known = identity(teacher(ctx), component.model)
    component.model = remember(component.model, answers, identity=known, scope=ctx.scope, stage=ctx.mark + stage)


def identity(block: Mapping[str, Any], model: Any) -> str:
    """What tells the answers of one teacher from those of another, for request hashes.

    block (Mapping): The teacher's config.
    model (Callable): It says itself what its config does not (endpoint, defaults), or all there is to say, with
        `identity_is_whole = True`: then settings that change no answer may change. A rule is as good as its code, so the version
        of this package counts for teachers that work by rule.
    """
    if getattr(model, "identity_is_whole", False):
        return str(model.identity)
    rule = versions()["spacy-synthesizrr"] if getattr(model, "by_rule", False) else ""
    return digest("teacher", json.dumps(block, sort_keys=True), str(getattr(model, "identity", "")), rule)


@contextmanager
def asking(nlp: Language) -> Iterator[Any]:
    """The teacher while it is asked; afterwards it is closed. What is in flight is waited for and kept, whatever ended the work;
    only somebody who presses a key gets away sooner.
    """
    component: Any = nlp.get_pipe(COMPONENT)
    try:
        yield component.model
    except KeyboardInterrupt:
        _close(component.model, grace=GRACE)
        raise
    except Exception:
        if (waiting := _in_flight(component.model)) > 0:
            say(f"Waiting for {waiting} answers that are in flight; Ctrl-C leaves them.")
        _close(component.model)
        raise
    _close(component.model)


def _close(model: Any, **how: float) -> None:
    if hasattr(model, "close"):
        model.close(**how)


def _in_flight(model: Any) -> int:
    return int(model.status()["in_flight"]) if hasattr(model, "status") else 0


def teacher_copies(nlp: Language) -> bool:
    """RETURNS (bool): Whether the teacher only copies from passages."""
    component: Any = nlp.get_pipe(COMPONENT)
    return bool(getattr(component.model, "copies", False))


def told_money(cost: float | None) -> str:
    """RETURNS (str): What was spent, for people; None is a price that is not known."""
    return UNKNOWN if cost is None else f"{cost:.4f} spent" if cost else "no money spent"


def told_spending(new: Mapping[str, Any]) -> str:
    """What a teacher took in this process, for people.

    new (Mapping): requests, tokens and cost, as its `status` has them under "new".
    RETURNS (str): Empty where nobody counts or nothing was asked.
    """
    return f"{new['requests']:,} requests, {new['tokens']:,} tokens, {told_money(new['cost'])}" if new.get("requests") else ""
