"""A place for review that keeps what it is given in a folder, as a server would: it outlives the process that puts rows there."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from argilla_bridge.backends import DATASETS, BadRow
from argilla_bridge.rows import SUBMITTED, ReviewRow, Suggestion, Vote, content_id
from argilla_bridge.schema import ReviewSchema, review_schema
from argilla_bridge.settings import ReviewSettings
from argilla_bridge.showing.marking import escaped
from spacy_synthesizrr.candidates import ACCEPTED, Candidate, Event
from spacy_synthesizrr.taskfile import TaskSpec


class Room:
    """Rows are files, one a line, of a dataset each; a line with an id that is there replaces it.

    folder (Path): Where.
    batch (int): Rows that are kept at once.
    pause (float): Seconds that each batch takes.
    """

    def __init__(self, folder: Path, *, batch: int = 10, pause: float = 0.0) -> None:
        self.folder, self.batch, self.pause = folder, batch, pause
        self.refused: dict[str, str] = {}
        self.said: list[Vote] = []
        self.sent: list[str] = []
        self.cut_after: int | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def open(self, dataset: str, schema: ReviewSchema) -> str:
        """Its identity is a random number that is written down when the dataset is made."""
        path = self.folder / f"{dataset}.id"
        if not path.is_file():
            path.write_text(str(time.time_ns()))
        return path.read_text()

    def put(self, dataset: str, rows: Iterable[ReviewRow], *, done: Callable[[Sequence[str]], None]) -> Sequence[BadRow]:
        """Append, batch by batch."""
        bad, batch = [], []
        for row in rows:
            if row.id in self.refused:
                bad.append(BadRow(row.id, self.refused[row.id]))
                continue
            if self.cut_after is not None and len(self.sent) >= self.cut_after:
                raise ConnectionError("the connection is gone")
            self.sent.append(row.id)
            batch.append(row)
            if len(batch) == self.batch:
                self._keep(dataset, batch, done)
                batch = []
        self._keep(dataset, batch, done)
        return bad

    def _keep(self, dataset: str, batch: Sequence[ReviewRow], done: Callable[[Sequence[str]], None]) -> None:
        if not batch:
            return
        time.sleep(self.pause)
        with (self.folder / f"{dataset}.jsonl").open("a") as file:
            for row in batch:
                shown = None if row.suggestion is None else list(row.suggestion.labels)
                line = {"id": row.id, "fields": dict(row.fields), "metadata": dict(row.metadata), "suggestion": shown}
                file.write(json.dumps(line) + "\n")
        done([row.id for row in batch])

    def lines(self, dataset: str) -> dict[str, dict]:
        """What is there, by id."""
        path = self.folder / f"{dataset}.jsonl"
        return {row["id"]: row for row in map(json.loads, path.read_text().splitlines())} if path.is_file() else {}

    def written(self, dataset: str) -> list[str]:
        """Every id that was ever sent, as often as it was."""
        path = self.folder / f"{dataset}.jsonl"
        return [json.loads(line)["id"] for line in path.read_text().splitlines()] if path.is_file() else []

    def remove(self, dataset: str, ids: Sequence[str]) -> None:
        """Rows go with their votes."""
        ids = set(ids)
        left = [row for row in self.lines(dataset).values() if row["id"] not in ids]
        (self.folder / f"{dataset}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in left))
        self.said = [vote for vote in self.said if vote.dataset != dataset or vote.row_id not in ids]

    def delete(self, dataset: str) -> None:
        """Somebody deletes the whole dataset."""
        for path in self.folder.glob(f"{dataset}.*"):
            path.unlink()

    def ids(self, dataset: str) -> Iterator[str]:
        """In the order in which they came."""
        return iter(self.lines(dataset))

    def votes(self, dataset: str) -> Iterator[Vote]:
        """What people said in it."""
        return (vote for vote in self.said if vote.dataset == dataset)

    def held(self, dataset: str) -> Iterator[tuple[str, str]]:
        """Nobody takes an answer back."""
        return iter(())

    def news(self) -> list[str]:
        """Nothing."""
        return []

    def place(self, dataset: str) -> str:
        """Its file."""
        return str(self.folder / f"{dataset}.jsonl")

    def close(self) -> None:
        """Nothing is held."""

    def say(self, user: str, row: str, *labels: str, status: str = SUBMITTED, **more: str) -> None:
        """A person answers a row, wherever it is."""
        dataset = more.pop("dataset", None) or next(name for name in DATASETS if row in self.lines(name))
        about = self.lines(dataset).get(row, {"metadata": {}})["metadata"].get("about", "")
        self.said.append(Vote(row, user, status, labels, dataset=dataset, about=about, identity=self.open(dataset, None), **more))


def task(*, exclusive: bool = True) -> TaskSpec:
    """Three labels, one text."""
    labels = {name: {"verbalization": f"about {name}"} for name in ("sport", "science", "cooking")}
    prompt = {"instruction": "Write a headline {verbalization}."}
    return TaskSpec.model_validate({"path": "task.yml", "name": "tiny", "labels": labels, "prompt": prompt, "exclusive": exclusive})


def schema(settings: ReviewSettings | None = None, *, adjudication: bool = False) -> ReviewSchema:
    """Of that task."""
    return review_schema(task(), settings or ReviewSettings(), dimensions={}, adjudication=adjudication)


def candidate(number: int, *labels: str, text: str = "") -> Candidate:
    """An accepted row."""
    made = Candidate(f"c{number}", "synthesizrr", labels or ("sport",), "seed", "p", fields={"text": text or f"Text number {number}."})
    return made.after(Event("curate", ACCEPTED, detail={"label_score": (number % 10) / 10}))


def row_of(made: Candidate, *, blind: bool = False) -> ReviewRow:
    """The row that asks about a candidate."""
    score = made.events[-1].detail.get("label_score")
    suggestion = None if blind else Suggestion(made.labels, score, "teacher")
    fields = {"text": escaped(made.fields["text"])}
    metadata = {"planned_label": made.key, "priority": 1 - (score or 0.0), "blind": "yes" if blind else "no"}
    return ReviewRow(content_id(made.fields), made.id, fields, metadata, {}, suggestion, 1 - (score or 0.0))
