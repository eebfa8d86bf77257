"""The JSON documents that steps leave in a run folder, as later steps read them.

A run folder may have been written by an older release. A key that is not there is then the user's to cure, by running
the step again, and no KeyError.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spacy_synthesizrr.errors import RunFolderError
from spacy_synthesizrr.jsonl import read_json
from spacy_synthesizrr.receipts import RunFolder

WRITTEN_BY: Mapping[str, str] = {
    "index.json": "index",
    "plan.json": "plan",
    "funnel.json": "curate",
    "curation.json": "curate",
    "metrics.json": "measure",
    "export.json": "export",
    "gate.json": "export",
    "student.json": "train",
    "evaluation.json": "evaluate",
}


class Document(dict[str, Any]):
    """A JSON object, and the ones in it, whose missing keys say what to do.

    value (Mapping): What was read.
    name (str): The file.
    step (str): The step that writes it.
    """

    def __init__(self, value: Mapping[str, Any], *, name: str, step: str) -> None:
        super().__init__({key: _documents(part, name, step) for key, part in value.items()})
        self.name, self.step = name, step

    def __missing__(self, key: str) -> Any:
        raise RunFolderError(
            f"{self.name} has no '{key}': another release of this package wrote it. Run the step '{self.step}' again "
            f"(when it says that nothing changed, delete receipts/{self.step}.json of this run first)."
        )


def _documents(value: Any, name: str, step: str) -> Any:
    if isinstance(value, dict):
        return Document(value, name=name, step=step)
    return [_documents(part, name, step) for part in value] if isinstance(value, list) else value


def read_document(folder: RunFolder, name: str) -> Document:
    """Read one of `WRITTEN_BY`.

    RAISES (InputError): When it is missing or not JSON; the text names the step to run.
    """
    step = WRITTEN_BY[name]
    return Document(read_json(folder.file(name), cure=f"Run the step '{step}'."), name=name, step=step)
