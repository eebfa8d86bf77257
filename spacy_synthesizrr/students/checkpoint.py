"""Where a training stands, on disk: enough to go on to the very student that an unbroken training would have given.

Plain numbers only (NumPy's arrays without objects, JSON, spaCy's own bytes for weights): nothing here can run code when it is read.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy

from spacy_synthesizrr.fingerprints import new_folder
from spacy_synthesizrr.jsonl import write_json

if TYPE_CHECKING:
    from spacy.language import Language
    from thinc.api import Model, Optimizer

STATE, MOMENTS, WEIGHTS = "state.json", "optimizer.npz", "weights"
AVERAGES = ("mom1", "mom2", "averages")  # what thinc's optimizer keeps of every parameter
Key = tuple[int, str]  # thinc's: number of a layer or shim in this process, and name of the parameter
Scores = Mapping[str, Any]


@dataclass(frozen=True)
class Evaluation:
    """One look at dev.

    step (int): Of the update before it, counted from 0.
    score (float): What chooses the best model, by the config's score weights.
    scores (Mapping): What spaCy's scorer said in numbers, but for the speed, which is another every time.
    """

    step: int
    score: float
    scores: Scores

    def to_list(self) -> list[Any]:
        """RETURNS (list): Plain JSON."""
        return [self.step, self.score, dict(self.scores)]


@dataclass(frozen=True)
class Checkpoint:
    """A training that broke off.

    folder (Path): Where it lies.
    step (int): The last update that it holds.
    evaluations (Sequence[Evaluation]): All until then.
    """

    folder: Path
    step: int
    evaluations: Sequence[Evaluation] = field(default_factory=tuple)

    def restore(self, nlp: Language, optimizer: Optimizer) -> None:
        """Bring pipeline, optimizer and random numbers to where they stood. The optimizer's schedules are the caller's."""
        for name, model in _models(nlp):
            model.from_bytes((self.folder / WEIGHTS / name).read_bytes())
        state = json.loads((self.folder / STATE).read_text(encoding="utf-8"))
        keys = {name: key for key, name in _names(nlp)}
        optimizer.nr_update.update({keys[name]: number for name, number in state["updates"].items()})
        with numpy.load(self.folder / MOMENTS, allow_pickle=False) as arrays:
            for stored in arrays.files:
                kind, _, name = stored.partition("/")
                getattr(optimizer, kind)[keys[name]] = _ops(nlp).asarray(arrays[stored])
        _restore_random(state["random"])


def write_checkpoint(folder: Path, key: str, nlp: Language, optimizer: Optimizer, evaluations: Sequence[Evaluation]) -> None:
    """Write where a training stands, right after an evaluation; nothing of an older one is lost before this one is whole.

    key (str): Of the job.
    """
    names = dict(_names(nlp))
    arrays = {f"{kind}/{names[key]}": _plain(array) for kind in AVERAGES for key, array in (getattr(optimizer, kind) or {}).items()}
    state = {
        "v": 1, "key": key, "step": evaluations[-1].step, "evaluations": [one.to_list() for one in evaluations],
        "updates": {names[key]: number for key, number in optimizer.nr_update.items()}, "random": _random(),
    }  # fmt: skip
    with new_folder(folder) as work:
        (work / WEIGHTS).mkdir()
        for name, model in _models(nlp):
            (work / WEIGHTS / name).write_bytes(model.to_bytes())
        numpy.savez(work / MOMENTS, allow_pickle=False, **arrays)
        write_json(work / STATE, state)


def read_checkpoint(folder: Path, key: str) -> Checkpoint | None:
    """RETURNS (Checkpoint | None): What an earlier training of the same job left; None when there is nothing whole of this job."""
    try:
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
        if state["key"] != key:
            return None
        return Checkpoint(folder, int(state["step"]), tuple(Evaluation(*one) for one in state["evaluations"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _models(nlp: Language) -> Iterator[tuple[str, Model[Any, Any]]]:
    """YIELDS (Tuple[str, Model]): Name and model of each component that learns."""
    for name, component in nlp.pipeline:
        if getattr(component, "is_trainable", False):
            yield name, component.model  # type: ignore[attr-defined]


def _names(nlp: Language) -> Iterator[tuple[Key, str]]:
    """Names for the optimizer's keys that hold in every process: by a layer's place in its model.

    YIELDS (Tuple[Key, str]): Key and name of each parameter; parameters of a shim are torch's.
    """
    for component, model in _models(nlp):
        for place, layer in enumerate(model.walk()):
            for name in layer.param_names:
                yield (layer.id, name), f"{component}/{place}/{name}"
            for number, shim in enumerate(layer.shims):
                for name, _ in shim._model.named_parameters():
                    yield (shim.id, name), f"{component}/{place}.{number}/{name}"


def _ops(nlp: Language) -> Any:
    return next(_models(nlp))[1].ops


def _plain(array: Any) -> Any:
    """An array of the CPU; CuPy's has `get`."""
    return array.get() if hasattr(array, "get") else array


def _random() -> dict[str, Any]:
    """The state of the generators that a training draws from."""
    kind, keys, *rest = cast(tuple[Any, ...], numpy.random.get_state())
    found: dict[str, Any] = {"python": random.getstate(), "numpy": [kind, keys.tolist(), *rest]}
    if "torch" in sys.modules:
        found["torch"] = sys.modules["torch"].get_rng_state().tolist()
    return found


def _restore_random(state: Mapping[str, Any]) -> None:
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    kind, keys, *rest = state["numpy"]
    numpy.random.set_state((kind, numpy.array(keys, dtype=numpy.uint32), *rest))
    if "torch" in state and "torch" in sys.modules:
        torch = sys.modules["torch"]
        torch.set_rng_state(torch.tensor(state["torch"], dtype=torch.uint8))
