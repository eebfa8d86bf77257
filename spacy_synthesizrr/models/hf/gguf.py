"""The head of a GGUF file: its metadata, without the packages that can read the whole.

Layout (GGUF versions 2 and 3, little-endian): "GGUF", version (u32), number of tensors (u64), number of entries (u64); an
entry is a key (length u64, UTF-8), a type (u32) and a value. Arrays hold type (u32), length (u64) and their items.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, BinaryIO, Dict

from spacy_synthesizrr.errors import ConfigError

_FORMATS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
LONGEST = 1 << 24  # bytes of one string; more is a damaged file


def read_metadata(path: Path) -> Dict[str, Any]:
    """The entries of a GGUF file that are no arrays (those hold the vocabulary).

    RETURNS (Dict[str, Any]): By key, such as "general.architecture" or "llama.context_length".
    RAISES (ConfigError): When it is no GGUF file of a known version, or a damaged one.
    """
    try:
        with path.open("rb") as file:
            magic, version, _, entries = struct.unpack("<4sIQQ", file.read(24))
            if magic != b"GGUF" or version not in (2, 3):
                raise ValueError(f"it starts with {magic!r}, version {version}")
            found = {}
            for _ in range(entries):
                key, kind = _string(file), int(_number(file, "I"))
                if kind == _ARRAY:
                    _skip_array(file)
                else:
                    found[key] = _string(file) if kind == _STRING else _number(file, _FORMATS[kind])
            return found
    except (struct.error, ValueError, KeyError, RecursionError) as error:
        raise ConfigError(f"{path} is no GGUF file that can be read here ({error}). Get it again, as GGUF version 2 or 3.") from error


def _number(file: BinaryIO, form: str) -> Any:
    return struct.unpack(f"<{form}", file.read(struct.calcsize(f"<{form}")))[0]


def _string(file: BinaryIO) -> str:
    length = int(_number(file, "Q"))
    if length > LONGEST:
        raise ValueError(f"a text of {length} bytes")
    return file.read(length).decode("utf-8")


def _skip_array(file: BinaryIO) -> None:
    kind, length = int(_number(file, "I")), int(_number(file, "Q"))
    if kind == _STRING:
        for _ in range(length):
            file.seek(int(_number(file, "Q")), 1)
    elif kind == _ARRAY:
        for _ in range(length):
            _skip_array(file)
    else:
        file.seek(length * struct.calcsize(f"<{_FORMATS[kind]}"), 1)
