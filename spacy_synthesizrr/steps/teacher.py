"""The arms of a run that its teacher answers, and the pipeline that asks it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spacy_synthesizrr.candidates import digest
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.errors import TeacherError
from spacy_synthesizrr.progress import say
from spacy_synthesizrr.receipts import versions
from spacy_synthesizrr.students.arms import FEWGEN, arm_file

if TYPE_CHECKING:
    from spacy.language import Language

    from spacy_synthesizrr.models.answers.responses import ResponseStore

ANSWERS = "answers.sqlite"
GRACE = 5.0  # seconds for requests in flight after Ctrl-C


@dataclass(frozen=True)
class Arm:
    """The run itself ("main") or a control that the teacher answers too."""

    name: str
    folder: Path
    mode: str


def arms(ctx: Context) -> list[Arm]:
    """RETURNS (List[Arm]): The arms that `plan` planned, by its receipt, the main one first."""
    counts = ctx.folder.receipt("plan")["counts"]
    modes = {name: FEWGEN if name == FEWGEN else str(counts["mode"]) for name in counts["arms"]}
    return [Arm(name, ctx.folder.file(arm_file(name, "")), mode) for name, mode in modes.items()]


def teacher(ctx: Context) -> dict[str, Any]:
    """The [teacher] section of the teacher's config.

    RAISES (TeacherError): When there is none.
    """
    block = ctx.config("teacher").get("teacher")
    if not isinstance(block, Mapping) or "@llm_models" not in block:
        example = '@llm_models = "synthesizrr.Extractive.v1"'
        raise TeacherError(f"{ctx.config_path('teacher')}: the section [teacher] with a line such as {example} is missing.")
    return dict(block)


def answers_file(ctx: Context, block: Mapping[str, Any]) -> Path:
    """RETURNS (Path): Where the answers of a run's teacher lie: in the store that its section [teacher] names, else in the run's own."""
    named = block.get("responses")
    return Path(str(named)).expanduser() if named else ctx.folder.file(ANSWERS)


def pipeline(ctx: Context, mode: str, answers: ResponseStore | None = None, *, stage: str = "") -> Language:
    """A blank pipeline with our task and the run's teacher, whose answers are remembered in the response store.

    mode (str): "zero-shot", "retricl", "non-retricl" or "fewgen".
    answers (ResponseStore | None): Where answers are remembered, if they are.
    stage (str): For the ledger.
    """
    import spacy

    from spacy_synthesizrr.models.answers.memory import remember
    from spacy_synthesizrr.steps.plan import plan_settings
    from spacy_synthesizrr.tasks.registry import task_config

    block = teacher(ctx)
    nlp = spacy.blank(str(ctx.settings["lang"]))
    task = task_config(ctx.task, mode=mode)
    if mode != FEWGEN:  # prompts cut passages where the plan measured them
        task["max_context"] = plan_settings(ctx).context.max_tokens
    task["typical_refusals"] = False  # the filter NotRefused decides, where configs/curate.cfg can switch it off
    try:
        nlp.add_pipe("llm_synthesizrr", config={"task": task, "model": block})
    except (ValueError, OSError) as error:  # unknown names and keys; a model that looks for its server when it is built
        said = " ".join(str(error).split())
        raise TeacherError(f"{ctx.config_path('teacher')}: the teacher cannot be built: {said[:600]}") from error
    if answers is not None:
        component: Any = nlp.get_pipe("llm_synthesizrr")
        model = component.model
        component.model = remember(model, answers, identity=identity(block, model), scope=ctx.scope, stage=stage)
    return nlp


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
    component: Any = nlp.get_pipe("llm_synthesizrr")
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
    component: Any = nlp.get_pipe("llm_synthesizrr")
    return bool(getattr(component.model, "copies", False))
