"""What lies in the folder of a sentence-transformers model: which modules, what they are told, and what tells it from others.

Weights are safetensors: reading a pickle can run any program that its author put in. Code that lies beside a model is never run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spacy_synthesizrr.candidates import digest
from spacy_synthesizrr.errors import ConfigError, InputError, choices
from spacy_synthesizrr.fingerprints import fingerprint_file
from spacy_synthesizrr.jsonl import read_json

# the switches of older files, in the order in which several vectors are joined
OLD_MODES = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
MODES = tuple(OLD_MODES.values())
ACTIVATIONS = ("Identity", "Tanh", "ReLU", "GELU", "SiLU", "Sigmoid")
KINDS = ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
WEIGHTS, PICKLES = ".safetensors", (".bin", ".pt", ".pth")
LOADED = (WEIGHTS, ".json", ".txt", ".model")
PLAIN = {"text": {"method": "forward", "method_output_name": "last_hidden_state"}}


@dataclass(frozen=True)
class Layout:
    """A model as its files describe it.

    folder (Path): The model. transformer (Path): The folder of its transformer.
    pooling (Tuple[str, ...]): How the states of a text's tokens become one vector, or several that are joined.
    after (Tuple[Path | None, ...]): What follows: the folder of a dense layer, or None for bringing vectors to length 1.
    max_tokens (int): Where texts are cut; None leaves it to the tokenizer and the transformer.
    lower (bool): Whether texts are lower-cased first.
    prompts (Mapping[str, str]): What stands before a text, by the kind of text.
    foreign (str): What only the package sentence-transformers can do with it; empty when there is nothing.
    """

    folder: Path
    transformer: Path
    pooling: tuple[str, ...] = ("mean",)
    after: tuple[Path | None, ...] = ()
    max_tokens: int | None = None
    lower: bool = False
    prompts: Mapping[str, str] | None = None
    foreign: str = ""

    def prompt(self, names: Sequence[str]) -> str:
        """RETURNS (str): The first prompt that the model has under one of these names; empty when it has none."""
        prompts = self.prompts or {}
        return next((prompts[name] for name in names if prompts.get(name) is not None), "")

    def digest(self) -> str:
        """RETURNS (str): A hash over all files that are loaded, wherever the folder lies."""
        names = sorted(path.relative_to(self.folder).as_posix() for path in _loaded(self.folder))
        return digest("sentence", *(part for name in names for part in (name, fingerprint_file(self.folder / name))))[:16]


def _loaded(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        inside = path.relative_to(folder)
        if path.suffix in LOADED and path.is_file() and not any(part.startswith(".") for part in inside.parts):
            yield path


def read_layout(folder: Path, *, section: str = "embedder") -> Layout:
    """Read the small files of a model. A folder of a plain transformer has the mean of its states as vectors.

    section (str): Of the config file that names the model, for errors.
    RAISES (ConfigError): When the folder holds no model, or one whose weights are pickled.
    """
    if not (folder / "modules.json").is_file():
        return _checked(Layout(folder, folder), section)
    modules = read_json(folder / "modules.json")
    try:
        kinds = [str(module["type"]) for module in modules]
        folders = [folder / str(module.get("path") or "") for module in modules]
        names = [kind.rsplit(".", 1)[-1] if kind.startswith("sentence_transformers.") else kind for kind in kinds]
        head, tail = names[:2], list(zip(names[2:], folders[2:], strict=True))
        if head != ["Transformer", "Pooling"]:
            return Layout(folder, folder, prompts=_prompts(folder), foreign=f"begins with the modules {', '.join(names[:2])}")
        about, pooling = _read(folders[0], [f"sentence_{kind}_config.json" for kind in KINDS]), _read(folders[1], ["config.json"])
        layout = Layout(
            folder, folders[0], _modes(pooling), tuple(path if name == "Dense" else None for name, path in tail),
            about.get("max_seq_length"), bool(about.get("do_lower_case")), _prompts(folder),
            _foreign_transformer(about, folders[0]) or _foreign_pooling(pooling) or next(filter(None, map(_foreign_module, tail)), ""),
        )  # fmt: skip
    except (KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"[{section}] The model in {folder} cannot be read ({type(error).__name__}: {error}). Get it again.") from error
    return _checked(layout, section)


def _read(folder: Path, names: Sequence[str]) -> dict[str, Any]:
    path = next((folder / name for name in names if (folder / name).is_file()), None)
    return {} if path is None else dict(read_json(path))


def _prompts(folder: Path) -> Mapping[str, str]:
    return dict(_read(folder, ["config_sentence_transformers.json"]).get("prompts") or {})


def _modes(about: Mapping[str, Any]) -> tuple[str, ...]:
    given = about.get("pooling_mode")
    if given is not None:
        return (given,) if isinstance(given, str) else tuple(given)
    return tuple(mode for name, mode in OLD_MODES.items() if about.get(name)) or ("mean",)


def _foreign_transformer(about: Mapping[str, Any], folder: Path) -> str:
    if about.get("transformer_task", "feature-extraction") != "feature-extraction" or about.get("modality_config", PLAIN) != PLAIN:
        return "has a transformer that is not only asked for the states of a text"
    if about.get("processing_kwargs") or about.get("module_output_name", "token_embeddings") != "token_embeddings":
        return "has settings for its tokenizer"
    config = _read(folder, ["config.json"])
    return "has an encoder and a decoder" if config.get("is_encoder_decoder") or "t5" in str(config.get("model_type")) else ""


def _foreign_pooling(about: Mapping[str, Any]) -> str:
    unknown = [mode for mode in _modes(about) if mode not in MODES]
    if unknown:
        return f"pools by '{unknown[0]}'"
    return "" if about.get("include_prompt", True) else "leaves prompts out of its pooling"


def _foreign_module(module: tuple[str, Path]) -> str:
    name, folder = module
    if name == "Normalize":
        return ""
    about = _read(folder, ["config.json"])
    usual = {"use_residual": False, "module_input_name": "sentence_embedding"}
    if name != "Dense" or any(about.get(key, value) != value for key, value in usual.items()):
        return f"has a module {name}"
    if about.get("module_output_name", "sentence_embedding") not in (None, "sentence_embedding") or activation(about) not in ACTIVATIONS:
        return "has a dense layer of another kind"
    return ""


def activation(about: Mapping[str, Any]) -> str:
    """RETURNS (str): The name of a dense layer's activation."""
    return str(about.get("activation_function", "torch.nn.modules.activation.Tanh")).rsplit(".", 1)[-1]


def _checked(layout: Layout, section: str) -> Layout:
    """RAISES (ConfigError): When there is no configuration, or there are no weights that are safe to read."""
    folder = layout.transformer
    try:
        read_json(folder / "config.json")
    except InputError as error:
        raise ConfigError(f"[{section}] {error} Give the folder of a sentence-transformers or transformers model.") from error
    for place in (folder, *(path for path in layout.after if path is not None)):
        if any(place.glob(f"*{WEIGHTS}")):
            continue
        pickled = sorted(path.name for path in place.iterdir() if path.suffix in PICKLES) if place.is_dir() else []
        why = f" It has {pickled[0]}: pickled weights can run any program that their author put in, so none is read." if pickled else ""
        raise ConfigError(f"[{section}] {place} holds no weights as safetensors.{why} Choose another model or revision.")
    return layout


def check_pooling(pooling: str) -> None:
    """RAISES (ConfigError): When there is no such pooling."""
    if pooling not in MODES:
        raise ConfigError(f'[embedder] pooling = "{pooling}" is unknown. {choices(pooling, MODES)}')
