"""Asking the teacher in a round, and what becomes of the loop where it does not answer all that it was asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from spacy_synthesizrr.candidates import FAILED, Candidate
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.errors import TeacherError
from spacy_synthesizrr.jsonl import read_jsonl
from spacy_synthesizrr.prompts import RETRYABLE
from spacy_synthesizrr.receipts import RunFolder
from spacy_synthesizrr.steps import synthesize
from spacy_synthesizrr.synthesis import FILES, kinds_of

*_, AWAY = FILES  # what failed stands there


def ask(ctx: Context) -> str:
    """Ask the teacher for the rows of a round.

    A student that lacks rows has other errors, and all that is asked for after these is paid again when the rows come. So requests that
    failed and may be answered later stop the loop before the student is trained. Where none is answered in the next try, it goes on.

    RETURNS (str): What is missing nevertheless, for people; empty where nothing is.
    RAISES (TeacherError): When requests failed that did not fail before. All that was answered is kept.
    """
    before = _unanswered(ctx.folder)
    synthesize.run(ctx)
    lost = _unanswered(ctx.folder)
    if not lost:
        return ""
    about = f"{len(lost)} request{'s' * (len(lost) > 1)} of the round '{ctx.folder.name}' failed ({kinds_of(Counter(lost.values()))})"
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
