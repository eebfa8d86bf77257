"""From ids to texts: what a candidate's passage, seed and shots say.

Candidates hold only ids. Synthesis, preview, export and report look the texts up here, in batches, so that nobody keeps
the corpus in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from spacy_synthesizrr.candidates import Candidate, Passage, Seed, Shot
from spacy_synthesizrr.errors import RunFolderError
from spacy_synthesizrr.stores.base import Store
from spacy_synthesizrr.stores.passages import batched
from spacy_synthesizrr.taskfile import TaskSpec

BATCH = 64


class Lookup:
    """Texts of passages (from the store) and of seeds (few, kept in memory).

    task (TaskSpec): Says which field is generated and where the others come from.
    store (Store): Where the passages lie.
    seeds (Iterable[Seed]): All seeds of the run.
    """

    def __init__(self, task: TaskSpec, store: Store, seeds: Iterable[Seed]) -> None:
        self.task, self.store = task, store
        self.seeds: Mapping[str, Seed] = {seed.id: seed for seed in seeds}

    def seed(self, seed_id: str) -> Seed:
        """The seed with an id.

        RAISES (RunFolderError): When it is gone, because the seeds changed after planning.
        """
        try:
            return self.seeds[seed_id]
        except KeyError:
            raise RunFolderError(f"The seed {seed_id} is not among the task's seeds any more. Run the step 'plan' again.") from None

    def passages(self, candidates: Sequence[Candidate]) -> dict[str, Passage]:
        """RETURNS (dict): The passages of a batch of candidates and of their shots, by id; one call to the store."""
        ids = {candidate.passage_id for candidate in candidates} | {shot.passage_id for c in candidates for shot in c.shots}
        wanted = sorted(passage_id for passage_id in ids if passage_id)
        return {passage.id: passage for passage in self.store.get(wanted)} if wanted else {}

    def planned(self, candidate: Candidate, passages: Mapping[str, Passage]) -> dict[str, Any]:
        """What `doc._.synthesizrr_planned` holds for one candidate: the row and the texts that its prompt needs.

        "from_passage" names the fields that are the passage itself; the task cuts them where it cuts the passage.
        """
        passage = passages[candidate.passage_id].text if candidate.passage_id else ""
        return {
            "candidate": candidate.to_dict(),
            "passage": passage,
            "verbalizations": [self.task.labels[label].verbalization for label in candidate.labels],
            "fields": self._carried(candidate, passage),
            "from_passage": [spec.name for spec in self.task.carried if spec.origin == "passage"],
            "shots": [self._shot(shot, passages) for shot in candidate.shots],
        }

    def _shot(self, shot: Shot, passages: Mapping[str, Passage]) -> dict[str, Any]:
        """A shot with its carried fields: an answer beside another row's premise would teach the wrong label."""
        document = passages[shot.passage_id].text if shot.passage_id else ""
        seed = self.seed(shot.seed_id)
        fields = {spec.name: document if spec.origin == "passage" else seed.fields.get(spec.name, "") for spec in self.task.carried}
        return {"document": document, "text": seed.fields[self.task.generated.name], "fields": fields}

    def _carried(self, candidate: Candidate, passage: str) -> dict[str, str]:
        return {
            spec.name: passage if spec.origin == "passage" else self.seed(candidate.seed_id).fields[spec.name] for spec in self.task.carried
        }

    def stream(self, candidates: Iterable[Candidate]) -> Iterator[tuple[Candidate, dict[str, Any]]]:
        """Pair each candidate with what its prompt needs; the store is asked once per batch."""
        for batch in batched(candidates, BATCH):
            passages = self.passages(batch)
            for candidate in batch:
                yield candidate, self.planned(candidate, passages)
