"""Values that the teacher is asked for: one question per label of a dimension, asked again while its list is short or cannot be read.

Another draw asks the same anew, for which weak teachers have an answer as likely as for the first; the items of all draws are joined. Each
answer is stored as it comes, so a step that was killed goes on where it was. A teacher that answers in a later run gets the first draws of
all questions at once, then the second ones of those that are still short.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from spacy_synthesizrr.context import Context
from spacy_synthesizrr.dimensions import ALL
from spacy_synthesizrr.errors import TeacherError
from spacy_synthesizrr.models.answers.responses import ResponseStore
from spacy_synthesizrr.prompts import RETRYABLE
from spacy_synthesizrr.sourcing.dimension_settings import DimensionSettings
from spacy_synthesizrr.steps.plan_settings import plan_settings
from spacy_synthesizrr.steps.round_trip import RoundTrip
from spacy_synthesizrr.synthesis import LATER
from spacy_synthesizrr.tasks.listed import each_once
from spacy_synthesizrr.teachers import ANSWERS, COMPONENT, asking, keep_answers, pipeline_for, teacher, teacher_copies

if TYPE_CHECKING:
    from spacy.language import Language

STEP = "rationales"
HOPELESS = ("too_long",)  # the next draw would be as long
WORDLESS = ("truncated", "empty")  # nothing is known of what was written, so two of them are no sign of a teacher that repeats itself
SHOWN = 80  # characters of what a teacher said


@dataclass
class Question:
    """What is asked about one label of a dimension, and what came of it.

    dimension (str), label (str): Whose values; an empty label stands for all of them.
    wanted (int): Values to ask for.
    draws (int): How often it may be asked.
    repeats (bool): Whether the teacher says the same whenever it is asked.
    texts (List[str]): The items of all draws, each once.
    asked (int): Draws that came to an end.
    lost (bool): Whether the last request got no answer, which a later run may get.
    hopeless (bool): Whether no draw can be answered.
    failed (str), why (str): The kind of failure of the last draw, if it gave no list; the same for people.
    """

    dimension: str
    label: str
    wanted: int
    draws: int
    repeats: bool = False
    texts: list[str] = field(default_factory=list)
    asked: int = 0
    lost: bool = False
    hopeless: bool = False
    failed: str = ""
    why: str = ""
    _heard: set[tuple[str, ...]] = field(default_factory=set)

    @property
    def name(self) -> str:
        """RETURNS (str): For people."""
        return f"'{self.dimension}' of '{self.label}'" if self.label else f"'{self.dimension}'"

    @property
    def open(self) -> bool:
        """RETURNS (bool): Whether it is to be asked now."""
        most = 1 if self.repeats else self.draws
        return len(self.texts) < self.wanted and self.asked < most and not self.lost and not self.hopeless

    def take(self, read: Mapping[str, Any], *, defers: bool) -> None:
        """Take in what a draw came to.

        read (Mapping): See `tasks.rationale.parse_rationales`.
        defers (bool): Whether the teacher answers in a later run: what it ends with an error is not asked again then.
        """
        kind, detail, texts = read.get("failed", ""), read.get("detail", ""), read.get("texts", ())
        self.failed, self.why = kind, f"{kind} ({detail[:SHOWN]})" if detail else kind
        self.lost = kind in LATER or (kind in RETRYABLE and not defers)
        if self.lost:
            return
        self.asked += 1
        self.texts = each_once([*self.texts, *texts], most=self.wanted)
        self.hopeless = kind in HOPELESS
        said = (kind, detail, *texts)
        self.repeats = self.repeats or (kind not in WORDLESS and said in self._heard)
        self._heard.add(said)

    def told(self) -> str:
        """RETURNS (str): Which question it is, and why there is no list."""
        often = f", asked {self.asked} times" if self.asked > 1 and not self.lost else ""
        until = f", with {len(self.texts)} of {self.wanted} values until then" if self.texts else ""
        return f"{self.name}: {self.why}{often}{until}"


def ask(ctx: Context, asked: Mapping[str, DimensionSettings]) -> list[Question]:
    """Ask for the values of dimensions.

    asked (Mapping[str, DimensionSettings]): At least one.
    RETURNS (List[Question]): One per label of each, none of them open.
    RAISES (TeacherError): When the teacher only copies.
    RAISES (WaitsForAnswers): When it answers in a later run.
    """
    steady = _takes_the_likeliest(teacher(ctx))
    questions = [
        Question(name, label, one.n or 1, one.draws, repeats=steady)
        for name, one in asked.items()
        for label in (ctx.task.labels if one.by_label else [ALL])
    ]
    with ResponseStore(ctx.shared / ANSWERS) as answers, RoundTrip() as trip:
        first = _pipeline(ctx, *next(iter(asked.items())))
        if teacher_copies(first):
            raise TeacherError(
                f"The strategy '{plan_settings(ctx).mode}' needs a teacher that writes without a passage; this teacher only copies. "
                "Choose another teacher with --vars.teacher NAME, or another strategy with --vars.strategy synthesizrr."
            )
        keep_answers(first, ctx, answers, stage=STEP)
        with asking(first) as model:
            defers = trip.join(model) is not None
            while still := [question for question in questions if question.open]:
                for name in dict.fromkeys(question.dimension for question in still):
                    these = [question for question in still if question.dimension == name]
                    _draw(these, _pipeline(ctx, name, asked[name], draw=these[0].asked), model, defers=defers)
    return questions


def _draw(questions: list[Question], nlp: Language, model: Any, *, defers: bool) -> None:
    """Ask the questions of a dimension once more; all that are open were asked as often.

    model (Callable): The teacher of all pipelines, so that a local model is loaded once.
    """
    component: Any = nlp.get_pipe(COMPONENT)
    component.model = model
    docs = nlp.pipe(nlp.make_doc(question.label) for question in questions)
    for question, doc in zip(questions, docs, strict=True):
        question.take(doc._.synthesizrr_rationales, defers=defers)


def _pipeline(ctx: Context, name: str, one: DimensionSettings, draw: int = 0) -> Language:
    from spacy_synthesizrr.tasks.rationale import rationale_config

    about: dict[str, Any] = {"n": one.n or 1, "dimension": name, "instruction": one.instruction, "by_label": one.by_label}
    return pipeline_for(ctx, rationale_config(ctx.task, **about, draw=draw))


def _takes_the_likeliest(block: Mapping[str, Any]) -> bool:
    """RETURNS (bool): Whether a teacher's config says that every draw of a prompt gets the same answer, whatever the seed."""
    given = [values for key in ("config", "parameters", "extra_body") if isinstance(values := block.get(key), Mapping)]
    told = [values["temperature"] for values in given if values.get("temperature") is not None]
    return bool(told) and told[-1] == 0
