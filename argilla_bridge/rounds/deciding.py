"""What the votes on one row come to.

1. Only submitted and discarded votes count, and of each person the newest; a "fix" without a corrected text is not finished and
   counts for nothing. What somebody says as a judge, in adjudication, stands above what the same person says elsewhere.
2. Votes of adjudication decide alone where there are any; otherwise all do. Turning a row away is an answer like any other. So is
   choosing no label in a task with label sets: the text is good, and none fits it.
3. An answer (a set of labels, or "turn it away") that more than half of the people gave wins. Otherwise, where people chose
   sets of labels, the labels that more than half of all people chose win together. Otherwise the most frequent answer wins,
   and where several are equally frequent there is a tie.
4. Where judges are tied, the newest of them decides; where they say no time, the answer that most people gave.
5. A tie of fewer people than the settings want for the row waits for the others. Any other tie is broken as the settings say: by
   asking once more, by the suggestion where it is among the tied answers, or by turning the row away.

The order of the votes never matters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from argilla_bridge.backends import ADJUDICATION, OVERLAP
from argilla_bridge.rounds.moments import moment
from argilla_bridge.rounds.shares import agreeing
from argilla_bridge.rows import SUBMITTED, Decision, Suggestion, Vote
from argilla_bridge.settings import ReviewSettings
from spacy_synthesizrr.candidates import ACCEPTED, REJECTED
from spacy_synthesizrr.students.reviewed import HUMAN, SUGGESTION

TIE, WAITING = "tie", "waiting"
BY_REVIEWERS, UNUSABLE_ROW = "rejected_by_reviewers", "unusable"
Answer = frozenset[str]
Pair = tuple[Vote, Answer]  # of one person
AWAY: Answer = frozenset({""})  # the answer of those who turn a row away: no label is called that


def newest(votes: Iterable[Vote]) -> list[Vote]:
    """RETURNS (List[Vote]): The votes that count, the newest of each person, in the order of the people's names."""
    found: dict[str, Vote] = {}
    for vote in votes:
        if vote.counts and (vote.user not in found or _age(vote) > _age(found[vote.user])):
            found[vote.user] = vote
    return [found[user] for user in sorted(found)]


def _age(vote: Vote) -> tuple[bool, float, str]:
    """Newer is larger, and what was said as a judge is newer than all else. Votes of the same moment are told apart by what they say,
    not by how they came.
    """
    return vote.dataset == ADJUDICATION, moment(vote.updated_at), repr(vote)


def answer_of(vote: Vote) -> Answer:
    """RETURNS (FrozenSet): The labels that a vote that counts chose, none where it says that none fits, or `AWAY`."""
    return AWAY if vote.rejects else frozenset(vote.labels)


def decide(votes: Sequence[Vote], suggestion: Suggestion | None, settings: ReviewSettings) -> Decision:
    """Decide about a row; see the head of this module.

    votes (Sequence[Vote]): All votes on it, of whatever status and dataset.
    suggestion (Suggestion | None): The project's own answer, whether people saw it or not.
    """
    people = [(vote, answer_of(vote)) for vote in newest(votes)]
    if not people:
        return Decision("unreviewed")
    judges = [pair for pair in people if pair[0].dataset == ADJUDICATION]
    best = winners([answer for _, answer in judges or people])
    if judges and len(best) > 1:
        best = _last_word(people, [pair for pair in judges if pair[1] in best])
    if len(best) == 1:
        return _decided(people, judges or people, best[0], settings)
    share = max(Counter(answer for _, answer in people).values()) / len(people)
    reasons = _reasons(vote for vote, _ in people)
    if not judges and len(people) < wanted(votes, settings):
        return Decision(WAITING, votes=len(people), agreement=share, reasons=reasons)
    if settings.ties == "suggestion" and suggestion and frozenset(suggestion.labels) in best:
        return Decision(ACCEPTED, _ordered(suggestion.labels), source=SUGGESTION, votes=len(people), agreement=share, reasons=reasons)
    outcome = REJECTED if settings.ties == "drop" else TIE
    return Decision(outcome, source=HUMAN, votes=len(people), agreement=share, reasons=reasons, reason=TIE)


def wanted(votes: Iterable[Vote], settings: ReviewSettings) -> int:
    """RETURNS (int): How many people are to answer a row with these votes."""
    return settings.overlap_submitted if any(vote.dataset == OVERLAP and vote.counts for vote in votes) else settings.min_submitted


def _last_word(people: Sequence[Pair], judges: Sequence[Pair]) -> list[Answer]:
    """What the newest of judges says who are tied; where several are, those of their answers that most people gave."""
    last = max(moment(vote.updated_at) for vote, _ in judges)
    said = {answer for vote, answer in judges if moment(vote.updated_at) == last}
    counts = {answer: sum(other == answer for _, other in people) for answer in said}
    return sorted((answer for answer in said if counts[answer] == max(counts.values())), key=sorted)


def winners(answers: Sequence[Answer]) -> list[Answer]:
    """The answer that wins, or those that are tied.

    RETURNS (List[FrozenSet]): One when there is a winner; tied ones in a fixed order.
    """
    counts, half = Counter(answers), len(answers) / 2
    top = max(counts.values())
    if top > half:
        return [answer for answer, count in counts.items() if count == top]
    each = Counter(label for answer in answers if answer != AWAY for label in answer)
    together = frozenset(label for label, count in each.items() if count > half)
    if together:
        return [together]
    return sorted((answer for answer, count in counts.items() if count == top), key=sorted)


def _decided(people: Sequence[Pair], judges: Sequence[Pair], won: Answer, settings: ReviewSettings) -> Decision:
    share = agreeing([answer for _, answer in people], won, away=AWAY)
    reasons = _reasons(vote for vote, _ in people)
    if won == AWAY:
        away = [vote for vote, answer in judges if answer == AWAY]
        unusable = settings.mode == "fast" and 2 * sum(vote.status == SUBMITTED for vote in away) >= len(away)
        why = UNUSABLE_ROW if unusable else BY_REVIEWERS
        return Decision(REJECTED, source=HUMAN, votes=len(people), agreement=share, reasons=reasons, reason=why)
    text = corrected([vote for vote, answer in judges if answer != AWAY and (answer == won or answer & won)])
    return Decision(ACCEPTED, _ordered(won), text, HUMAN, len(people), share, reasons)


def corrected(votes: Sequence[Vote]) -> str:
    """The corrected text of those who agree on the labels.

    RETURNS (str): Empty unless at least half of them corrected the text; of different corrections the most frequent, then the
        newest, then the first by the alphabet.
    """
    texts = [(vote.text.strip(), moment(vote.updated_at)) for vote in votes if vote.text.strip()]
    if not texts or 2 * len(texts) < len(votes):
        return ""
    counts = Counter(text for text, _ in texts)
    ages: Callable[[str], float] = lambda text: max(age for other, age in texts if other == text)  # noqa: E731
    return min(counts, key=lambda text: (-counts[text], -ages(text), text))


def _ordered(labels: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(labels))


def _reasons(votes: Iterable[Vote]) -> tuple[str, ...]:
    """What people wrote, each text once, in a fixed order."""
    return tuple(sorted({vote.reason.strip() for vote in votes} - {""}))
