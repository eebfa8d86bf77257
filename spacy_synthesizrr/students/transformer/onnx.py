"""A transformer student as an ONNX graph, for places without spaCy or torch: `model.onnx`, `tokenizer.json`, `labels.json`.

The graph ends with the scores as the pipeline gives them, calibration included: it is in the output layer's weights.
"""

from __future__ import annotations

import contextlib
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spacy_synthesizrr.errors import StudentError, require
from spacy_synthesizrr.fingerprints import new_folder
from spacy_synthesizrr.students.transformer.settings import EXTRA, FIRST, WINDOWS

if TYPE_CHECKING:
    from spacy.language import Language

    from spacy_synthesizrr.students.transformer.layer import EncoderShim

MODEL, TOKENIZER, LABELS, README = "model.onnx", "tokenizer.json", "labels.json", "README.md"
ONNX = "onnx"  # the extra
OPSET = 18
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
TEXT = """# {name} as ONNX

```python
import json, numpy as np, onnxruntime, tokenizers
labels = json.load(open("labels.json"))["labels"]
tokenizer = tokenizers.Tokenizer.from_file("tokenizer.json")
session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
encoded = tokenizer.encode_batch(["a text", "another text"])
columns = {{"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}}
inputs = {{put.name: np.array([getattr(row, columns[put.name]) for row in encoded], dtype=np.int64) for put in session.get_inputs()}}
for scores in session.run(["scores"], inputs)[0]:
    print(dict(zip(labels, scores.round(4).tolist())))
```

{notes}
"""


def export_onnx(student_folder: Path, out: Path, *, quantize: bool = False) -> list[Path]:
    """Write a trained transformer student as ONNX; needs the extras `transformers` and `onnx`.

    student_folder (Path): A saved pipeline.
    out (Path): A folder that is new or was written by this function.
    quantize (bool): Weights as 8-bit numbers: a quarter of the size; scores differ a little.
    RETURNS (List[Path]): What was written.
    RAISES (MissingExtraError): Without torch, transformers or onnx.
    RAISES (StudentError): When there is no such student, or `out` holds something else.
    """
    require("torch", EXTRA)
    for module in ("onnx", "onnxscript", *(("onnxruntime",) if quantize else ())):
        require(module, ONNX)
    nlp, name, shim = _student(student_folder)
    if out.exists() and not (out / MODEL).is_file() and any(out.iterdir()):
        raise StudentError(f"{out} holds other things. Give a folder that is new, or one that an earlier export wrote.")
    pipe = nlp.get_pipe(name)
    exclusive = not pipe.model.attrs["multi_label"]  # type: ignore[attr-defined]
    said = nlp.meta.get("synthesizrr") or {}
    about = {"labels": list(pipe.labels), "exclusive": exclusive, "thresholds": (said.get("finish") or {}).get("thresholds")}  # type: ignore[attr-defined]
    with new_folder(out) as work:
        _write_graph(pipe, shim, work / MODEL)
        if quantize:
            _quantize(work / MODEL)
        _write_tokenizer(shim, work / TOKENIZER)
        (work / LABELS).write_text(json.dumps(about, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        (work / README).write_text(TEXT.format(name=nlp.meta["name"], notes=_notes(shim, exclusive, quantize)), encoding="utf-8")
    return [out / file for file in (MODEL, TOKENIZER, LABELS, README)]


def _student(folder: Path) -> tuple[Language, str, EncoderShim]:
    import spacy

    from spacy_synthesizrr.students.transformer.layer import encoder_of

    if not (folder / "config.cfg").is_file():
        raise StudentError(f"There is no student in {folder}. Train one first: synthesizrr train --run NAME")
    nlp = spacy.load(folder)
    if found := encoder_of(nlp):
        return nlp, *found
    raise StudentError(
        f"The student in {folder} ({', '.join(nlp.pipe_names)}) has no transformer, so there is nothing to export to ONNX. "
        "Train one with --vars.student transformer; a bag of words is fast as it is."
    )


def _write_graph(pipe: Any, shim: EncoderShim, path: Path) -> None:
    torch = require("torch", EXTRA)
    scorer, names = _scorer(torch, pipe, shim), INPUTS if shim.encoder.segments else INPUTS[:2]
    example = tuple(torch.ones((2, 7), dtype=torch.int64) for _ in names)
    axes = {0: torch.export.Dim("texts"), 1: torch.export.Dim("tokens", max=shim.settings.max_length)}
    with _quietly(), torch.no_grad():
        torch.onnx.export(
            scorer, example, path, input_names=list(names), output_names=["scores"], opset_version=OPSET,
            dynamo=True, external_data=False, dynamic_shapes=(tuple(axes for _ in names),), verbose=False,
        )  # fmt: skip


def _scorer(torch: Any, pipe: Any, shim: EncoderShim) -> Any:
    """RETURNS (torch.nn.Module): From tokens, mask and segments to scores: all that the graph does."""
    from spacy_synthesizrr.embedders.sentence_model import pooled

    encoder, linear = shim.encoder.model.to("cpu").eval(), pipe.model.get_ref("output_layer")
    encoder.set_attn_implementation("eager")
    mode, exclusive = "cls" if shim.settings.pooling == FIRST else "mean", not pipe.model.attrs["multi_label"]

    class Scorer(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder
            for name in ("W", "b"):
                self.register_buffer(name, torch.tensor(pipe.model.ops.to_numpy(linear.get_param(name))))

        def forward(self, *inputs: Any) -> Any:
            states = self.encoder(**dict(zip(INPUTS, inputs, strict=False))).last_hidden_state
            logits = pooled(torch, states, inputs[1], mode) @ self.W.T + self.b
            return torch.softmax(logits, dim=1) if exclusive else torch.sigmoid(logits)

    return Scorer().eval()


def _quantize(path: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    whole = path.with_name("whole.onnx")
    path.rename(whole)
    with _quietly():
        quantize_dynamic(whole, path, weight_type=QuantType.QInt8, per_channel=True)
    whole.unlink()


def _write_tokenizer(shim: EncoderShim, path: Path) -> None:
    """Write the tokenizer as the student uses it: it cuts, pads and, where the encoder asks for it, lower-cases by itself."""
    tokenizers = require("tokenizers", EXTRA)
    encoder = shim.encoder
    tokenizer = tokenizers.Tokenizer.from_str(encoder.tokenizer.to_str())
    if encoder.lower:
        lower = tokenizers.normalizers.Lowercase()
        tokenizer.normalizer = lower if tokenizer.normalizer is None else tokenizers.normalizers.Sequence([lower, tokenizer.normalizer])
    tokenizer.enable_truncation(shim.settings.max_length)
    tokenizer.enable_padding(pad_id=encoder.padding, pad_token=tokenizer.id_to_token(encoder.padding) or "")
    tokenizer.save(str(path))


def _notes(shim: EncoderShim, exclusive: bool, quantize: bool) -> str:
    said = shim.settings
    notes = [f"Texts of more than {said.max_length} tokens are cut" + (", not read in windows." if said.long_texts == WINDOWS else ".")]
    notes.append("The scores of a text sum to 1." if exclusive else "Each label has its own score; labels.json has thresholds, if any.")
    notes.append("Weights are 8-bit numbers." if quantize else "Weights are 32-bit numbers.")
    return " ".join(notes)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Without what the exporter has to say about itself."""
    import io
    import logging

    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
