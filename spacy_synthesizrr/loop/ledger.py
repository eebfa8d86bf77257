"""The ledger of a loop: what every round of every arm took, brought, mended and broke. Read from its finished folders alone.

ledger.json:
    loop, run, settings, metric, labels, seeds     what was asked for; `seeds`: training seeds of each round; `stopped`: why it ended
    parts       rows of the error and the selection part; `split`: whether they are different rows
    gold        how much the error part covers of the selection part, to compare the coverage of train sets with
    embedder    whose vectors those of coverage and closeness are; None where nothing was embedded
    start       round 0, an entry as below
    arms[]      name; rounds[]; `chosen`: of the loop the round whose student is the result, of a control the round that is compared
                with it; `why` there is no round
    rounds[]    round, run
        rows, steps, added    of the train set; above the start
        calls, tokens, cost   rows of generated.jsonl and what their answers took (`prompt`, `answer`); cost None where a price is not known
        accepted, turned_away additions of this round per label; reason → rows
        short                 `rows` and `calls` fewer than the loop has in this round; negative: more
        selection, error      the score on each part, see `scoring.scored`; `optimistic`: why it is too good, empty where it is not;
                              `moved`: rows, wrong, fixed and broken against the round before
        gain                  above the start on the selection part, see `scoring.gap`; None of the start
        errors                those by the loop's criterion; `confusions`: kinds of wrong answers in the error part
        coverage, closeness   see `measures`
        test                  of the round that was chosen, as `selection`; None of the others
    differences[]   loop against `against`, of the chosen rounds (`rounds`): `test` and `selection`, see `scoring.gap`; `why` there is none;
                    `short`: rows and calls that the other one has fewer than the loop

It holds no times and no paths, so the same loop has the same ledger.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from spacy_synthesizrr.candidates import ROW_VERSION
from spacy_synthesizrr.errors import RunFolderError
from spacy_synthesizrr.loop.finished import Asked, Round, finished_rounds, start_of
from spacy_synthesizrr.loop.folder import START
from spacy_synthesizrr.loop.scoring import confusions, gap, moved, scored
from spacy_synthesizrr.loop.settings import LOOP, MORE_SEED
from spacy_synthesizrr.loop.split import ERROR, SELECTION
from spacy_synthesizrr.loop.texts import features, measured, name_of, read_texts, reference
from spacy_synthesizrr.loop.told import table as table

Entry = dict[str, Any]
WRITTEN_AFTER = "rows were written after its rows"
CHOSE = "it chose the models and the round"
CHOSE_MODELS = "it chose the models"
NO_ROUND = "no round is finished"
NO_TEST = "no test scores of both"


def make_ledger(folder: Path) -> dict[str, Any]:
    """Read a loop, as far as it has come.

    folder (Path): runs/NAME.
    RETURNS (dict): Plain JSON, see the head of this module.
    RAISES (RunFolderError): When not even its start is finished.
    """
    asked = Asked.read(folder)
    start = start_of(asked)
    if start is None:
        raise RunFolderError(f"The start of the loop '{folder.name}' is not finished. Run `synthesizrr loop` again; it goes on.")
    arms = {name: finished_rounds(asked, name) for name in asked.arms}
    found = _Ledger(asked, start, arms)
    return found.to_dict()


class _Ledger:
    """Rounds with what stands beside them."""

    def __init__(self, asked: Asked, start: Round, arms: Mapping[str, Sequence[Round]]) -> None:
        self.asked, self.start, self.arms = asked, start, arms
        rounds = [start, *(one for own in arms.values() for one in own)]
        self.seed = int(start.inputs.get("settings", {}).get("seed", 0))
        self.result, self.compared = chosen_of([start, *arms[LOOP]], final=str(asked.settings["loop"]["final"]))
        self.texts = read_texts(asked, rounds, seed=self.seed)
        self.embed = features(asked, rounds, self.texts)

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (dict): The whole ledger."""
        asked, start = self.asked, self.start
        first = self._entry(start, None)
        arms = [self._arm(name, rounds) for name, rounds in self.arms.items()]
        _note_short(arms)
        return {
            "v": ROW_VERSION,
            "loop": asked.folder.name,
            "run": asked.about["run"],
            "settings": asked.settings,
            "stopped": asked.about.get("stopped", ""),
            "metric": start.report["metric"],
            "labels": list(start.labels),
            "seeds": [seed["seed"] for seed in start.trained["seeds"]],
            "parts": {**{name: len(rows) for name, rows in asked.parts.items()}, "split": asked.split},
            "gold": reference(self.texts, self.embed),
            "embedder": name_of(self.embed),
            "start": first,
            "arms": arms,
            "differences": self._differences(arms),
        }

    def _arm(self, name: str, rounds: Sequence[Round]) -> dict[str, Any]:
        entries = [self._entry(one, before) for one, before in zip(rounds, [self.start, *rounds], strict=False)]
        chosen = self.result if name == LOOP else min(self.compared, len(rounds))
        return {"name": name, "rounds": entries, "chosen": chosen, "why": "" if entries else self.asked.not_run.get(name, NO_ROUND)}

    def _entry(self, one: Round, before: Round | None) -> Entry:
        run = one.folder.path.name
        return {
            "round": one.number,
            "run": f"{self.asked.folder.name}/{run}",
            "rows": one.rows,
            "steps": int(one.trained["steps"]),
            "added": one.rows - self.start.rows,
            **_taken(one),
            "accepted": _accepted(one) if before is not None else None,
            "turned_away": one.turned_away() if before is not None else {},
            **{part: self._part(part, one, before) for part in (SELECTION, ERROR)},
            "gain": None if before is None else self._gap(one, self.start, SELECTION),
            "errors": len(one.errors().found),
            "confusions": confusions(one.joined(ERROR)),
            **measured(run, self.texts, self.embed),
            "test": scored(one.tested, one.labels, seed=self.seed) if one.tested and self._compares(one) else None,
        }

    def _compares(self, one: Round) -> bool:
        """Whether test scores of a round count; there may be others, where an earlier loop had another result."""
        return one.number in (0, min(self.compared, len(self.arms.get(one.arm, ()))))

    def _part(self, part: str, one: Round, before: Round | None) -> dict[str, Any]:
        score = scored(one.answers(part), one.labels, seed=self.seed) or {}
        return {**score, "optimistic": self._optimistic(part, one), "moved": moved(part, one, before)}

    def _optimistic(self, part: str, one: Round) -> str:
        """Why the score of a round on a part is better than it would be on rows that nobody has seen; empty where it is not."""
        chose = CHOSE if one.number else CHOSE_MODELS
        wrote = WRITTEN_AFTER if one.number and one.arm != MORE_SEED else ""
        if not self.asked.split:
            return "; ".join(filter(None, (chose, wrote)))
        return chose if part == SELECTION else wrote

    def _gap(self, mine: Round, other: Round, part: str) -> dict[str, Any] | None:
        return gap(mine.answers(part), other.answers(part), mine.labels, seed=self.seed)

    def _differences(self, arms: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """The loop's result against the start, and the loop against every control in the same round: as many calls, rows and steps. Where
        the start is the result, it is the last round that is compared.
        """
        loop, *controls = arms
        if not loop["rounds"]:
            return []
        mine = self._round(LOOP, self.compared)
        found = [self._difference(START, mine, self.start, {})]
        for arm in controls:
            if arm["why"]:
                found.append({"against": arm["name"], "rounds": None, "test": None, "selection": None, "short": {}, "why": arm["why"]})
                continue
            found.append(self._difference(arm["name"], mine, self._round(arm["name"], arm["chosen"]), _short_of(arm, loop, mine.number)))
        return found

    def _difference(self, against: str, mine: Round, other: Round, short: Mapping[str, int]) -> dict[str, Any]:
        test = gap(mine.tested, other.tested, mine.labels, seed=self.seed)
        return {
            "against": against,
            "rounds": [mine.number, other.number],
            "test": test,
            "selection": self._gap(mine, other, SELECTION),
            "short": dict(short),
            "why": "" if test else NO_TEST,
        }

    def _round(self, arm: str, number: int) -> Round:
        return self.arms[arm][number - 1] if number else self.start


class Ranked(Protocol):
    """A round, done just now or read from its folder."""

    @property
    def number(self) -> int:
        """RETURNS (int): 0 is the start."""

    @property
    def score(self) -> float:
        """RETURNS (float): On the selection part, mean over training seeds."""


def chosen_of(rounds: Sequence[Ranked], *, final: str) -> tuple[int, int]:
    """Which round of the loop is its result, and in which round the arms are compared.

    rounds (Sequence[Ranked]): The start and those of the loop.
    final (str): "last", or "best" on the selection part, the first of equals, which cost least.
    RETURNS (Tuple[int, int]): Their numbers. Where the start is the result, the last round is compared.
    """
    best = rounds[-1] if final == "last" else max(rounds, key=lambda one: (one.score, -one.number))
    return best.number, best.number or len(rounds) - 1


def _short_of(arm: Mapping[str, Any], loop: Mapping[str, Any], most: int) -> dict[str, int]:
    """What a control has fewer than the loop in the rounds that are compared and those before them; negative: more.

    most (int): Number of the loop's round.
    """
    rounds = [one["rounds"][:most] for one in (loop, arm)]
    rows = [some[-1]["added"] for some in rounds]
    calls = [sum(entry["calls"] for entry in some) for some in rounds]
    gaps = {"rows": rows[0] - rows[1], "calls": calls[0] - calls[1]}
    return {name: count for name, count in gaps.items() if count}


def _note_short(arms: Sequence[dict[str, Any]]) -> None:
    """Write into every round of a control what it has fewer than the loop in the same round."""
    loop = {entry["round"]: entry for entry in arms[0]["rounds"]}
    for arm in arms:
        for entry in arm["rounds"]:
            beside = loop.get(entry["round"])
            gaps = {"rows": beside["added"] - entry["added"], "calls": beside["calls"] - entry["calls"]} if beside else {}
            entry["short"] = {name: count for name, count in gaps.items() if count}


def _accepted(one: Round) -> dict[str, Any]:
    labels = Counter({label: 0 for label in one.labels})
    rows = 0
    for row in one.candidates("accepted.jsonl"):
        rows += 1
        labels.update(row.labels)
    return {"rows": rows, "labels": {label: labels[label] for label in one.labels}}


def _taken(one: Round) -> dict[str, Any]:
    """What the answers of a round took by the events of its rows; nothing where the teacher counts no tokens."""
    calls, prompt, answer, counted = 0, 0, 0, False
    for row in one.candidates("generated.jsonl"):
        calls += 1
        for event in row.events:
            if "prompt_tokens" in event.detail or "answer_tokens" in event.detail:
                counted = True
                prompt += int(event.detail.get("prompt_tokens", 0))
                answer += int(event.detail.get("answer_tokens", 0))
    if not counted:
        return {"calls": calls, "tokens": None, "cost": None}
    cost = one.price().cost(prompt, answer)
    return {"calls": calls, "tokens": {"prompt": prompt, "answer": answer}, "cost": None if cost is None else round(cost, 6)}
