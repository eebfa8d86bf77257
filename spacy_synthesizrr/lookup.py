"""From ids to texts: what a candidate's passage, seed and shots say.

Candidates hold only ids. Synthesis, preview, export and report look the texts up here, in batches, so that nobody keeps
the corpus in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from spacy_synthesizrr.candidates import ERROR, Candidate, Passage, Seed, Shot
from spacy_synthesizrr.dimensions import Value
from spacy_synthesizrr.errors import RunFolderError
from spacy_synthesizrr.stores.base import Store
from spacy_synthesizrr.stores.passages import batched
from spacy_synthesizrr.taskfile import TaskSpec

BATCH = 64


class Lookup:
    """Texts of passages (from the store) and of seeds (few, kept in memory).

    task (TaskSpec): Says which field is generated and where the others come from.
    store (Store): Where the passages lie.
    seeds (Iterable[Seed]): All seeds of the run. The descriptions of their label sets, by which a label is asked for without a seed,
        are known besides.
    chosen (Iterable[Value]): The reasons and attributes of the plan, if its rows have some; see `dimensions.read_chosen`.
    """

    def __init__(self, task: TaskSpec, store: Store, seeds: Iterable[Seed], chosen: Iterable[Value] = ()) -> None:
        self.task, self.store = task, store
        self.seeds: Mapping[str, Seed] = {seed.id: seed for seed in seeds}
        sets = dict.fromkeys(seed.labels for seed in self.seeds.values() if seed.labels)
        self._described = {seed.id: seed for seed in (task.description(labels) for labels in sets)}
        self._chosen = {value.id: value for value in chosen}

    def seed(self, seed_id: str) -> Seed:
        """The seed with an id.

        RAISES (RunFolderError): When it is gone, because the seeds changed after planning.
        """
        seed = self.known(seed_id)
        if seed is None:
            raise RunFolderError(f"The seed {seed_id} is not among the task's seeds any more. Run the step 'plan' again.")
        return seed

    def known(self, seed_id: str) -> Seed | None:
        """RETURNS (Seed | None): The seed with an id, or the description of a label set; None when it is gone."""
        return self.seeds.get(seed_id) or self._described.get(seed_id)

    def seeds_and_descriptions(self) -> list[Seed]:
        """RETURNS (List[Seed]): All that rows can name as their seed, each once."""
        return list({**self._described, **self.seeds}.values())

    def value(self, value_id: str) -> Value:
        """The reason or attribute with an id.

        RAISES (RunFolderError): When it is gone, because the plan is another one.
        """
        try:
            return self._chosen[value_id]
        except KeyError:
            raise RunFolderError(f"The reason {value_id} is not among those of the plan any more. Run the step 'plan' again.") from None

    def passages(self, candidates: Sequence[Candidate]) -> dict[str, Passage]:
        """RETURNS (dict): The passages of a batch of candidates and of their shots, by id; one call to the store."""
        ids = {candidate.passage_id for candidate in candidates} | {shot.passage_id for c in candidates for shot in c.shots}
        wanted = sorted(passage_id for passage_id in ids if passage_id)
        return {passage.id: passage for passage in self.store.get(wanted)} if wanted else {}

    def planned(self, candidate: Candidate, passages: Mapping[str, Passage]) -> dict[str, Any]:
        """What `doc._.synthesizrr_planned` holds for one candidate: the row and the texts that its prompt needs.

        "from_passage" names the fields that are the passage itself; the task cuts them where it cuts the passage. "parent" is what the
        seed of a row says where the seed is an error, and "avoid" names the labels that a student mistook it for. "rationales" are the
        reasons and attributes that the text is to be written from.
        """
        passage = passages[candidate.passage_id].text if candidate.passage_id else ""
        seed = self.seeds.get(candidate.seed_id)
        wrong = [label for label in seed.predicted if label not in candidate.labels] if seed else []
        error = seed if seed is not None and seed.origin == ERROR else None
        return {
            "candidate": candidate.to_dict(),
            "passage": passage,
            "verbalizations": [self.task.labels[label].verbalization for label in candidate.labels],
            "fields": self._carried(candidate, passage),
            "from_passage": self._from_passage(candidate),
            "shots": [self._shot(shot, passages) for shot in candidate.shots],
            "parent": error.fields[self.task.generated.name] if error else "",
            "avoid": [self.task.labels[label].verbalization for label in wrong] if error else [],
            "rationales": [self.value(name).to_dict() for name in candidate.rationales],
        }

    def _shot(self, shot: Shot, passages: Mapping[str, Passage]) -> dict[str, Any]:
        """A shot with its carried fields: an answer beside another row's premise would teach the wrong label."""
        document = passages[shot.passage_id].text if shot.passage_id else ""
        seed = self.seed(shot.seed_id)
        fields = {spec.name: document if spec.origin == "passage" else seed.fields.get(spec.name, "") for spec in self.task.carried}
        return {"document": document, "text": seed.fields[self.task.generated.name], "fields": fields}

    def _from_passage(self, candidate: Candidate) -> list[str]:
        """Fields that are the passage. A row made of an error alone has none: the error brings all its fields."""
        seed = self.seeds.get(candidate.seed_id)
        if not candidate.passage_id and seed is not None and seed.origin == ERROR:
            return []
        return [spec.name for spec in self.task.carried if spec.origin == "passage"]

    def _carried(self, candidate: Candidate, passage: str) -> dict[str, str]:
        own = self._from_passage(candidate)
        return {spec.name: passage if spec.name in own else self.seed(candidate.seed_id).fields[spec.name] for spec in self.task.carried}

    def stream(self, candidates: Iterable[Candidate]) -> Iterator[tuple[Candidate, dict[str, Any]]]:
        """Pair each candidate with what its prompt needs; the store is asked once per batch."""
        for batch in batched(candidates, BATCH):
            passages = self.passages(batch)
            for candidate in batch:
                yield candidate, self.planned(candidate, passages)
