"""Asking the teacher in a round, and what becomes of the loop where it does not answer all that it was asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from spacy_synthesizrr.candidates import FAILED, Candidate
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.errors import TeacherError
from spacy_synthesizrr.jsonl import read_jsonl
from spacy_synthesizrr.prompts import RETRYABLE
from spacy_synthesizrr.receipts import RunFolder
from spacy_synthesizrr.steps import synthesize
from spacy_synthesizrr.synthesis import FILES, kinds_of

*_, AWAY = FILES  # what failed stands there


def ask(ctx: Context, *, tell: Callable[[str], None]) -> str:
    """Ask the teacher for the rows of a round.

    A student that lacks rows has other errors, and all that is asked for after these is paid again when the rows come. So requests that
    failed and may be answered later stop the loop before the student is trained. Where none is answered in the next try, it goes on.
    A teacher that answers in a later run has tried again by itself, and what it gives up is not asked for again.

    tell (Callable): Says what the answers will take, before they are asked for.
    RETURNS (str): What is missing nevertheless, for people; empty where nothing is.
    RAISES (TeacherError): When requests failed, unless they are the very ones that failed in the last try. All that was answered is kept.
        Also when none at all was answered, as in `synthesize`.
    """
    before = _unanswered(ctx.folder)
    synthesize.run(ctx, tell=tell)
    lost = _unanswered(ctx.folder)
    if not lost:
        return ""
    about = f"{len(lost)} request{'s' * (len(lost) > 1)} of the round '{ctx.folder.name}' failed ({kinds_of(Counter(lost.values()))})"
    if synthesize.defers(ctx):
        return f"{about}, and the loop goes on without their rows."
    if lost.keys() == before.keys():
        return f"{about} once more, so it goes on without their rows. The same command asks again, and later rounds anew where it helps."
    raise TeacherError(
        f"{about}, and what is asked for in later rounds depends on their rows. All answers are kept. Run the same command again: it asks "
        "these anew, and goes on without them where all of them fail once more."
    )


def _unanswered(folder: RunFolder) -> Mapping[str, str]:
    """RETURNS (Mapping[str, str]): Id and reason of every request that failed and may be answered later."""
    path = folder.file(AWAY)
    rows = read_jsonl(path, Candidate.from_dict) if path.is_file() else ()
    return {row.id: row.reason for row in rows if row.status == FAILED and row.reason in RETRYABLE}
