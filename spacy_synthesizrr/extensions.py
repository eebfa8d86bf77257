"""What our components keep on a Doc. Plain lists of dicts, so that `DocBin(store_user_data=True)` keeps them too.

doc._.synthesizrr_passages   {"id", "text", "source", "similarity", "rank"} per hit
doc._.synthesizrr_planned    {"candidate", "passage", "verbalizations", "fields", "from_passage", "shots", "parent", "avoid", "rationales"}
                             per planned candidate
doc._.synthesizrr_judged     text fields by name, for a judge of labels; without it the Doc's text is judged
doc._.synthesizrr_votes      {"labels"} or {"failed", "detail"} per question to a judge, after the task
doc._.synthesizrr_rationales {"texts"} or {"failed", "detail"}: the answer to a question for reasons, after the task
doc._.synthesizrr            one candidate (a dict, see candidates.Candidate) per planned one, after the task
"""

from __future__ import annotations

from spacy.tokens import Doc

PASSAGES, PLANNED, RESULT = "synthesizrr_passages", "synthesizrr_planned", "synthesizrr"
JUDGED, VOTES, RATIONALES = "synthesizrr_judged", "synthesizrr_votes", "synthesizrr_rationales"
MAX_PLANNED = 32  # candidates per Doc: a Doc travels between processes as a whole, and its prompts are asked together


def register_extensions() -> None:
    """Make the extensions known to spaCy; a second call changes nothing. Our components do it when they are built."""
    for name in (PASSAGES, PLANNED, JUDGED, VOTES, RATIONALES, RESULT):
        if not Doc.has_extension(name):
            Doc.set_extension(name, default=None)
