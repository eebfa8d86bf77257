"""What stays on this machine of an index in Weaviate: the fitted embedder, notes about the index, and a spool while it is built.

about.json  which index the embedder belongs to    embedder/  as its `save` wrote it    notes/  files of whoever asks
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spacy_synthesizrr.candidates import Passage
from spacy_synthesizrr.embedders.base import Embedder, load_embedder
from spacy_synthesizrr.errors import InputError
from spacy_synthesizrr.fingerprints import replace_folder
from spacy_synthesizrr.jsonl import read_json, write_json
from spacy_synthesizrr.stores.base import describe
from spacy_synthesizrr.stores.passages import PassageFile, PassageWriter, batched
from spacy_synthesizrr.stores.publish import LOCK, locked
from spacy_synthesizrr.stores.weaviate.schema import Kinds, add_kinds

ABOUT, EMBEDDER, NOTES, SPOOL = "about.json", "embedder", "notes", "spool"


@dataclass(frozen=True)
class Home:
    """The folder of one index.

    folder (Path): Where it is or will be.
    """

    folder: Path

    @property
    def notes(self) -> Path:
        """RETURNS (Path): A folder for files about the index."""
        return self.folder / NOTES

    def about(self) -> dict[str, Any]:
        """RETURNS (dict): Key and embedder of the index that was built from here; empty when there is none."""
        try:
            found = read_json(self.folder / ABOUT)
        except InputError:
            return {}
        return found if isinstance(found, dict) and (self.folder / EMBEDDER).is_dir() else {}

    def embedder(self) -> Embedder:
        """RETURNS (Embedder): The fitted embedder."""
        return load_embedder(self.folder / EMBEDDER)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only one on this machine who builds or changes the index; others wait."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with locked(self.folder / LOCK):
            yield

    @contextlib.contextmanager
    def spool(self, passages: Iterable[Passage]) -> Iterator[tuple[PassageWriter, PassageFile, Kinds]]:
        """Write passages to disk, because they are read several times; they go when the block ends.

        YIELDS (Tuple[PassageWriter, PassageFile, Kinds]): What was counted, the passages, the kinds of their metadata.
        """
        folder, kinds = self.folder / SPOOL, dict[str, set[str]]()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            with PassageWriter(folder) as writer:
                for batch in batched(passages):
                    writer.add(batch)
                    add_kinds(kinds, batch)
                writer.finish()
            with contextlib.closing(PassageFile(folder)) as file:
                yield writer, file, {key: tuple(sorted(found)) for key, found in kinds.items()}
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def fitted(self, embedder: Embedder, file: PassageFile, key: str, *, seed: int) -> Embedder:
        """Fit the embedder and keep it, or take the one that was kept for this index before.

        key (str): Of the index.
        RETURNS (Embedder): Fitted.
        """
        if self.about().get("key") == key and not hasattr(embedder, "embed_passages"):  # which no stored one can stand in for
            return self.embedder()
        (self.folder / ABOUT).unlink(missing_ok=True)
        embedder.fit((passage.text for passage in file.get(range(len(file)))), seed=seed)
        part = self.folder / f"{EMBEDDER}.part"
        shutil.rmtree(part, ignore_errors=True)
        embedder.save(part)
        replace_folder(part, self.folder / EMBEDDER)
        write_json(self.folder / ABOUT, {"v": 1, "key": key, "embedder": describe(embedder)})
        return embedder

    def clear(self) -> None:
        """Delete all but the lock, which others may be waiting for."""
        for path in self.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != LOCK:
                path.unlink()

    def clear_notes(self) -> None:
        """Delete the notes: they are about an index that is no more."""
        shutil.rmtree(self.notes, ignore_errors=True)
