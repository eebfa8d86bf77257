"""The contamination gate of a run: `export` sends the rows of every arm through it, `train` starts only with what it vouches for."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from spacy_synthesizrr.configs import section
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.curation.gate import BLOCK, REASONS, SECTION, Checked, Gate, GateSettings
from spacy_synthesizrr.curation.leaks import EQUAL, Gold, Leak, Row
from spacy_synthesizrr.embedders.none import embeds
from spacy_synthesizrr.errors import StudentError
from spacy_synthesizrr.fingerprints import fingerprint
from spacy_synthesizrr.jsonl import atomic, dumps, read_json, read_jsonl, write_json
from spacy_synthesizrr.labelled import read_rows
from spacy_synthesizrr.receipts import RunFolder
from spacy_synthesizrr.stores.passages import batched
from spacy_synthesizrr.students.arms import GOLD, MAIN, Arm
from spacy_synthesizrr.students.span.rows import span_file

if TYPE_CHECKING:
    from spacy_synthesizrr.embedders.base import Embedder
    from spacy_synthesizrr.students.rows import StudentRow

GATE, HITS = "gate.json", "gate.jsonl"
BY_WORDS = (GOLD,)  # people wrote them, and there may be many: their vectors are not compared
AGAIN = "Run the step 'export' again: synthesizrr export --run {run} (or the whole project: spacy project run all)"


class Gating:
    """Sends the rows of arms through the gate and counts what does not pass.

    gate (Gate): Knows the dev and test rows.
    hits (IO): Open for the list of rows that do not pass.
    """

    def __init__(self, gate: Gate, hits: IO[str]) -> None:
        self._gate, self._hits = gate, hits
        self.counts: dict[str, Counter[str]] = {}
        self.equal: dict[str, Counter[str]] = {}

    def through(self, arm: str, rows: Iterable[StudentRow]) -> Iterator[StudentRow]:
        """Stream the rows that pass; each of the others is written to the list with reason, score and the place of its match."""
        counts = self.counts[arm] = Counter()
        equal = self.equal[arm] = Counter()
        for block in batched(rows, BLOCK):
            checked = [Checked(row.id, row.text, row.text if row.written is None else row.written) for row in block]
            for row, leak in zip(block, self._gate.find(checked, arm, vectors=arm not in BY_WORDS), strict=True):
                counts["rows"] += 1
                if leak is None:
                    yield row
                    continue
                counts[leak.reason] += 1
                equal[_kind(leak)] += leak.reason == EQUAL
                self._hits.write(dumps(leak.to_dict()) + "\n")

    def told(self, arms: Sequence[Arm]) -> Iterator[str]:
        """YIELDS (str): A line for each arm with rows that did not pass, and one where the ceiling says how near is too near."""
        for arm in arms:
            counts = self.counts.get(arm.name, Counter())
            if gone := self.left_out(arm.name):
                by = ", ".join(f"{reason} {counts[reason]}" for reason in REASONS if counts[reason])
                yield f"{arm.name}: {gone} of {counts['rows']} rows give a dev or test row away and are left out ({by}; {HITS})."
        if self._gate.capped:
            settings = self._gate.settings
            yield (
                "Dev and test texts are so alike that by their measure all but equal ones would pass: rows are left out above a similarity "
                f"of {settings.ceiling:g} ([gate] ceiling)."
            )

    def left_out(self, arm: str) -> int:
        """RETURNS (int): Rows of an arm that did not pass, for any reason."""
        counts = self.counts.get(arm, Counter())
        return sum(counts[reason] for reason in REASONS)

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (dict): Settings, threshold and counts, as plain JSON."""
        gate, main = self._gate, self.counts.get(MAIN, Counter())
        arms = {arm: {"rows": counts["rows"], **{reason: counts[reason] for reason in REASONS}} for arm, counts in self.counts.items()}
        threshold = None if gate.threshold is None else round(gate.threshold, 4)
        found = {"compared_with": gate.size, "threshold": threshold, "capped": gate.capped}
        share = self.left_out(MAIN) / main["rows"] if main["rows"] else 0.0
        return {"v": 1, "settings": gate.settings.model_dump(), **found, "arms": arms, "share": round(share, 6)}


def _kind(leak: Leak) -> str:
    return leak.gold.split(":")[0]


@contextlib.contextmanager
def gating(ctx: Context, embedder: Embedder | None) -> Iterator[Gating]:
    """Open the gate of a run.

    embedder (Embedder | None): Of the index; one that makes no vectors leaves them out.
    YIELDS (Gating): Its list of rows that do not pass is written whole when the block ends.
    RAISES (ConfigError): When the section [gate] is not right.
    """
    settings = gate_settings(ctx)
    wholes, fields = list[Checked](), list[Row]()
    for kind in ("dev", "test"):
        for row in read_rows(ctx.task, kind) if ctx.task.file(kind) else ():
            wholes.append(Checked(f"{kind}:{row.line}", ctx.task.student_text(row.fields), row.fields[ctx.task.generated.name]))
            fields.append(Row(f"{kind}:{row.line}", tuple(row.fields.values())))
    embed = None if settings.similarity is None or embedder is None or not embeds(embedder) else embedder.embed
    with atomic(ctx.folder.file(HITS)) as hits:
        yield Gating(Gate(wholes, Gold.of(fields), settings, embed), hits)


def given_away(folder: RunFolder) -> dict[str, frozenset[str]]:
    """RETURNS (Dict[str, FrozenSet[str]]): By arm the ids of the rows that `export` left out, as the gate's list has them."""
    found: dict[str, set[str]] = {}
    for row in read_jsonl(folder.file(HITS), dict):
        found.setdefault(str(row["what"]), set()).add(str(row["id"]))
    return {arm: frozenset(ids) for arm, ids in found.items()}


def gate_settings(ctx: Context) -> GateSettings:
    """RETURNS (GateSettings): The section [gate] of the run's curate config."""
    return section(ctx.config("curate"), SECTION, GateSettings, path=ctx.config_path("curate"))


def write_gate(folder: RunFolder, found: Gating, files: Sequence[str]) -> None:
    """Write gate.json: what was compared, and the hashes of the sets that it vouches for.

    files (Sequence[str]): Names of the train, dev and test sets, relative to the run folder.
    """
    write_json(folder.file(GATE), found.to_dict() | {"files": {name: fingerprint(folder.file(name))["sha256"] for name in files}})


def sets_of(arms: Iterable[Arm]) -> list[str]:
    """RETURNS (List[str]): Names of the sets that training and testing read: dev, test, and the train set of every arm that is run."""
    ran = [arm for arm in arms if arm.run]
    found = ["dev.spacy", "test.spacy", *(arm.file for arm in ran)]
    return [*found, *map(span_file, found)] if any(arm.spans for arm in ran) else found


def check_gate(ctx: Context, files: Sequence[str]) -> None:
    """Refuse to train on what the gate did not see, or on a set of which it turned too much away.

    files (Sequence[str]): The sets that training reads.
    RAISES (StudentError): Says what is wrong and how it is put right.
    """
    folder = ctx.folder
    again = AGAIN.format(run=folder.name)
    path = folder.file(GATE)
    if not path.is_file():
        raise StudentError(f"Nobody has compared the train rows of the run '{folder.name}' with dev and test: {path} is missing. {again}")
    about: Mapping[str, Any] = read_json(path, cure=again)
    _check_files(folder, about.get("files", {}), files, again)
    limit = gate_settings(ctx).max_share
    if (share := float(about["share"])) > limit:
        main = about["arms"][MAIN]
        raise StudentError(
            f"{sum(main[reason] for reason in REASONS)} of {main['rows']} rows of the main train set give a dev or test row away "
            f"({share:.1%}; at most {limit:.1%} may, by [gate] max_share in {ctx.config_path('curate')}). They are left out, but so many "
            f"are no accident: look at {folder.file(HITS)}, and take dev and test rows out of corpus and seeds. Raise max_share when you "
            "know why."
        )


def _check_files(folder: RunFolder, vouched: Mapping[str, str], files: Iterable[str], again: str) -> None:
    for name in files:
        path: Path = folder.file(name)
        if name not in vouched or not path.exists() or fingerprint(path)["sha256"] != vouched[name]:
            raise StudentError(f"{path} is not the set that was compared with dev and test: it changed after {GATE} was written. {again}")
