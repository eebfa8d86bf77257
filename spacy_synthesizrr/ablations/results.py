"""What a grid found: one document of all runs, with paired intervals against the baseline.

ablation.json:
    grid, file, about, metric, baseline, draws    what was compared
    arms[].name, changes
    arms[].runs[]        per draw: run, rows, short, steps, seeds (score of each student), score (their mean), show; or `why` there is none
    arms[].shared        which share of its rows an arm has in two draws alike, on average; None of one draw
    arms[].score         mean and sd over draws; interval over test rows
    arms[].difference    value, low, high, level, resamples: above the baseline, over the draws in which both have a score, with other
                         test rows; `draws`: of each; `over_draws`: low and high with other draws, None where there is one.
                         None of the baseline itself, and where another test set was used
    test                 rows of each test set that there was
    spent                requests, tokens and cost of the whole grid by the ledger
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spacy_synthesizrr.ablations.grid import Part
from spacy_synthesizrr.ablations.overlap import shared_rows
from spacy_synthesizrr.ablations.running import MEASURE, Work, as_wanted
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.documents import read_document
from spacy_synthesizrr.jsonl import read_jsonl
from spacy_synthesizrr.receipts import RunFolder, fresh, versions
from spacy_synthesizrr.steps.evaluate import ANSWERS
from spacy_synthesizrr.students.arms import MAIN
from spacy_synthesizrr.students.scores import LabelSet, macro_f, main_score, spread

if TYPE_CHECKING:
    from spacy_synthesizrr.students.quality.bootstrap import Metric

METRICS: Mapping[str, Metric] = {"score": "micro_f", "macro_f": "macro_f"}
PENDING, NO_TEST = "not done yet", "there are no test rows"


@dataclass(frozen=True)
class Tested:
    """One run on its test set.

    test (str): Which test set: runs with the same one can be drawn from together.
    gold (Sequence[LabelSet]): Its rows. answers (Sequence[Sequence[LabelSet]]): Of each student.
    facts (Mapping): What the document says of the run.
    """

    test: str
    labels: tuple[str, ...]
    gold: Sequence[LabelSet]
    answers: Sequence[Sequence[LabelSet]]
    facts: Mapping[str, Any]


def results(work: Work) -> dict[str, Any]:
    """RETURNS (dict): Plain JSON, see the head of this module; of a grid that is not finished, as far as it has come."""
    grid = work.grid
    tested: dict[tuple[str, str], Tested] = {}
    why: dict[tuple[str, str], str] = {}
    for run in grid.runs():
        folder, key = RunFolder(work.folder / run.name), (run.arm, run.draw)
        if run.name in work.failed:
            why[key] = work.failed[run.name]
        elif not as_wanted(folder, work.wanted[run.name]):
            why[key] = PENDING
        else:
            found = read_run(folder, grid.spec.metric, grid.spec.show)
            tested |= {key: found} if found.gold else {}
            why |= {} if found.gold else {key: NO_TEST}
    return {
        "v": 1,
        "grid": grid.name,
        "file": grid.path.as_posix(),
        "about": grid.spec.about,
        "metric": _metric_name(work, tested),
        "baseline": grid.baseline,
        "base": dict(grid.spec.base),
        "draws": [{"name": draw.name, "changes": dict(draw.changes)} for draw in grid.draws],
        "arms": [_arm(work, arm, tested, why) for arm in grid.arms],
        "test": list({one.test: len(one.gold) for one in tested.values()}.values()),
        "spent": spent(work),
        "versions": versions(),
    }


def read_run(folder: RunFolder, metric: str, show: Sequence[str] = ()) -> Tested:
    """RETURNS (Tested): A run whose students were evaluated."""
    exported, trained, funnel = (read_document(folder, name) for name in ("export.json", "student.json", "funnel.json"))
    labels, gold, answers = tuple(exported["labels"]), list[LabelSet](), list[list[LabelSet]]()
    for row in read_jsonl(folder.file(ANSWERS), dict):
        gold.append(tuple(row["gold"]))
        answers.append([tuple(answer) for answer in row["arms"][MAIN]])
    students = [list(column) for column in zip(*answers, strict=True)]
    main = next(arm for arm in trained["arms"] if arm["name"] == MAIN)
    take = {"score": main_score, "macro_f": macro_f}[metric]
    scores = [take(gold, student, labels) for student in students]
    facts = {
        "run": folder.name,
        "rows": main["rows"],
        "short": sum(about["short"] for about in funnel["labels"].values()),
        "steps": main["steps"],
        "seeds": scores,
        "score": statistics.fmean(scores) if scores else None,
        "show": dict(_shown(folder, show)),
    }
    sha256 = folder.receipt("export")["outputs"]["test.spacy"]["sha256"]
    return Tested(str(sha256), labels, gold, students, facts)


def _shown(folder: RunFolder, paths: Sequence[str]) -> Iterator[tuple[str, float | None]]:
    """YIELDS (Tuple[str, float | None]): Numbers of metrics.json; None where there is none of this name."""
    for path in paths:
        node: Any = read_document(folder, "metrics.json") if fresh(folder, MEASURE) else {}
        for part in path.split("."):
            node = node.get(part) if isinstance(node, Mapping) else None
        yield path, node if isinstance(node, (int, float)) and not isinstance(node, bool) else None


def _metric_name(work: Work, tested: Mapping[Any, Tested]) -> str:
    if work.grid.spec.metric == "macro_f":
        return "macro F"
    one = next(iter(tested.values()), None)
    return str(read_document(RunFolder(work.folder / Path(one.facts["run"]).name), "student.json")["metric"]) if one else "score"


def _arm(work: Work, arm: Part, tested: Mapping[tuple[str, str], Tested], why: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    grid = work.grid
    mine = [tested[arm.name, draw.name] for draw in grid.draws if (arm.name, draw.name) in tested]
    rows = [tested[key].facts if (key := (arm.name, draw.name)) in tested else {"why": why[key]} for draw in grid.draws]
    found: dict[str, Any] = {"name": arm.name, "changes": dict(arm.changes)}
    found["runs"] = [{"draw": draw.name, **row} for draw, row in zip(grid.draws, rows, strict=True)]
    found["score"] = spread([one.facts["score"] for one in mine])
    mine_of = [draw.name for draw in grid.draws if (arm.name, draw.name) in tested]
    found["shared"] = shared_rows([RunFolder(work.folder / f"{arm.name}.{draw}") for draw in mine_of])
    found["difference"] = None
    both = [draw.name for draw in grid.draws if {(arm.name, draw.name), (grid.baseline, draw.name)} <= tested.keys()]
    pairs = [(draw, tested[arm.name, draw], tested[grid.baseline, draw]) for draw in both]
    if arm.name != grid.baseline and pairs and all(one.test == other.test for _, one, other in pairs):
        found["difference"] = _difference(pairs, METRICS[grid.spec.metric])
    return found


def _difference(pairs: Sequence[tuple[str, Tested, Tested]], metric: Metric) -> dict[str, Any]:
    """The interval over test rows, and what each draw says by itself.

    pairs (Sequence[Tuple[str, Tested, Tested]]): Draw, arm and baseline.
    """
    from spacy_synthesizrr.students.quality.bootstrap import Paired, difference

    groups: dict[str, list[tuple[Tested, Tested]]] = {}
    for _, mine, other in pairs:
        groups.setdefault(mine.test, []).append((mine, other))
    tests = []
    for group in groups.values():
        answers, others = ([student for pair in group for student in pair[side].answers] for side in (0, 1))
        tests.append(Paired(group[0][0].gold, answers, others, weight=len(group)))
    draws = [{"draw": draw, "value": mine.facts["score"] - other.facts["score"]} for draw, mine, other in pairs]
    found = difference(tests, pairs[0][1].labels, metric=metric).to_dict()
    return {**found, "draws": draws, "over_draws": over_draws([float(draw["value"]) for draw in draws], level=found["level"])}


def over_draws(values: Sequence[float], *, level: float = 0.95) -> dict[str, float] | None:
    """Where the mean difference would lie with other draws of the same kind: Student's t interval of paired differences, which takes
    them for normally distributed. Of few draws it is wide, as it should be.

    RETURNS (dict | None): low and high; None for fewer than two draws.
    """
    from scipy.stats import t

    if len(values) < 2:
        return None
    mean, half = statistics.fmean(values), float(t.ppf((1 + level) / 2, len(values) - 1)) * statistics.stdev(values) / len(values) ** 0.5
    return {"low": mean - half, "high": mean + half}


def spent(work: Work) -> dict[str, Any] | None:
    """RETURNS (dict | None): What the grid has spent; None where nobody kept account, as with teachers that work by rule."""
    from spacy_synthesizrr.models.answers.budget import Total
    from spacy_synthesizrr.models.answers.ledger import prepare
    from spacy_synthesizrr.models.answers.ledger import spent as spent_by
    from spacy_synthesizrr.models.answers.responses import ResponseStore
    from spacy_synthesizrr.teachers import answers_file, teacher

    places: dict[Path, str] = {}
    for _, folder in work.runs():
        if folder.file("inputs.json").is_file():
            ctx = Context(folder, folder.inputs())
            places[answers_file(ctx, teacher(ctx))] = ctx.scope
    total = Total()
    for path, scope in places.items():
        if path.is_file():
            with ResponseStore(path) as store:
                prepare(store)
                total.add(spent_by(store, scope))
    if not total.requests:
        return None
    tokens = total.prompt_tokens + total.answer_tokens
    return {"requests": total.requests, "tokens": tokens, "cost": None if total.unpriced.requests else round(total.cost, 6)}
