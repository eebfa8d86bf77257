"""Cutting one labelled file into seeds, dev, test and the rest, by a hash of each text: the order of the rows does not matter."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spacy_synthesizrr.candidates import ROW_VERSION, digest, label_key
from spacy_synthesizrr.errors import ConfigError, InputError
from spacy_synthesizrr.jsonl import atomic, dumps
from spacy_synthesizrr.labelled import label_names
from spacy_synthesizrr.tables import BadRow, read_table, text_fault
from spacy_synthesizrr.words import comparable

PARTS = ("seeds", "dev", "test")
REST = "rest"


@dataclass(frozen=True)
class _Row:
    """A row under the hash of its comparable text and the seed (`key`); `exact` tells spellings of one text apart."""

    key: str
    exact: str
    label: str
    values: Mapping[str, Any]


@dataclass
class _Census:
    """One label and the spelling to keep for every text; 400 bytes or so per text, whatever its length."""

    labels: dict[str, str]
    spellings: dict[str, str]
    conflicts: set[str]
    rows: int = 0


def draw_splits(
    source: Path,
    out: Path,
    *,
    text: Sequence[str],
    label: str,
    per_label_seeds: int,
    dev: int,
    test: int,
    seed: int,
    force: bool = False,
) -> dict[str, Any]:
    """Cut a labelled file into `seeds.jsonl`, `dev.jsonl`, `test.jsonl` and `rest.jsonl` (which can serve as gold train rows).

    Texts are compared as `words.comparable` gives them. One that stands there twice is used once; one with two different labels is
    dropped. The same texts give the same parts in any order of rows; `rest.jsonl` keeps the order of the file.

    source (Path): The labelled file (JSONL, CSV, Parquet).
    out (Path): Folder for the four files, which keep the names of the columns and appear together at the end.
    text (Sequence[str]): Columns of the text fields.
    label (str): Column of the label; rows with several labels count under their combination.
    per_label_seeds (int), dev (int), test (int): Rows wanted per label.
    seed (int): Another number gives another cut.
    force (bool): Replace parts that lie there already.
    RETURNS (dict): "rows", "duplicates" (rows), "conflicts" (texts), and "labels": for each label the rows of each part.
    RAISES (InputError): For a row that is not right, a label with too few rows, or parts that lie there already.
    """
    wanted = {"seeds": per_label_seeds, "dev": dev, "test": test}
    _check(source, out, text, wanted)
    if not force:
        _check_free(out)
    columns = dict.fromkeys((*text, label))
    census = _take_census(_read(source, columns, text, label, seed))
    places = _assign(census, wanted, source)
    counts = {name: dict.fromkeys((*PARTS, REST), 0) for name in sorted(set(census.labels.values()))}
    picked: dict[str, list[tuple[int, str, Mapping[str, Any]]]] = {part: [] for part in PARTS}
    with ExitStack() as stack:
        files = {part: stack.enter_context(atomic(out / f"{part}.jsonl")) for part in (*PARTS, REST)}
        for row in _read(source, columns, text, label, seed):
            if census.spellings.get(row.key) != row.exact:
                continue
            del census.spellings[row.key]  # the same spelling may come again
            part, rank = places.get(row.key, (REST, 0))
            counts[row.label][part] += 1
            if part == REST:
                files[REST].write(dumps({"v": ROW_VERSION, **row.values}) + "\n")
            else:
                picked[part].append((rank, row.label, row.values))
        for part, rows in picked.items():
            # one row of each label in turn, so that the first rows are a balanced part too
            for _, _, values in sorted(rows, key=lambda item: item[:2]):
                files[part].write(dumps({"v": ROW_VERSION, **values}) + "\n")
    kept = sum(sum(parts.values()) for parts in counts.values())
    return {"rows": census.rows, "duplicates": census.rows - kept, "conflicts": len(census.conflicts), "labels": counts}


def _check(source: Path, out: Path, text: Sequence[str], wanted: Mapping[str, int]) -> None:
    for part, count in wanted.items():
        if count < 0:
            raise ConfigError(f"{part} = {count}: the number of rows per label must be 0 or more.")
    if not text:
        raise ConfigError("No text column is named. Name at least one, such as: text")
    if source.resolve() in [(out / f"{part}.jsonl").resolve() for part in (*PARTS, REST)]:
        raise InputError("This file would be overwritten by its own parts.", path=source, cure="Give another folder for the parts.")


def _check_free(out: Path) -> None:
    """People write seeds by hand, and a run rests on its cut."""
    there = [f"{part}.jsonl" for part in (*PARTS, REST) if (out / f"{part}.jsonl").exists()]
    if there:
        raise InputError(f"There is {', '.join(there)} already.", path=out, cure="Give another folder, or --force to replace them.")


def told(counts: Mapping[str, Any], out: Path) -> Iterator[str]:
    """What `draw_splits` counted, for people.

    RETURNS (Iterator[str]): Lines.
    """
    parts = (*PARTS, REST)
    width = max(len(name) for name in (*counts["labels"], "label"))
    yield f"{'label':<{width}}  " + "  ".join(f"{part:>7}" for part in parts)
    for name, rows in counts["labels"].items():
        yield f"{name:<{width}}  " + "  ".join(f"{rows[part]:>7,}" for part in parts)
    gone = f"; {counts['duplicates']:,} not used (texts that stand there twice or under two labels)" if counts["duplicates"] else ""
    yield f"{counts['rows']:,} rows read{gone}. The parts lie in {out}."


def _read(source: Path, columns: Collection[str], text: Sequence[str], label: str, seed: int) -> Iterator[_Row]:
    for line, values in read_table(source, columns=columns):
        for column in text:
            if fault := text_fault(values[column], column):
                raise BadRow(line, *fault).error(source)
        names = label_names(values[label])
        if not names:
            raise InputError(f"This is not a label: {values[label]!r}.", path=source, line=line, cure="Give a label or remove the row.")
        texts = [values[column] for column in text]
        key = digest(str(seed), *(comparable(part) for part in texts))
        yield _Row(key, digest(*texts), label_key(sorted(names)), values)


def _take_census(rows: Iterator[_Row]) -> _Census:
    census = _Census({}, {}, set())
    for row in rows:
        census.rows += 1
        if census.labels.setdefault(row.key, row.label) != row.label:
            census.conflicts.add(row.key)
        census.spellings[row.key] = min(row.exact, census.spellings.get(row.key, row.exact))
    for key in census.conflicts:
        del census.labels[key], census.spellings[key]
    return census


def _assign(census: _Census, wanted: Mapping[str, int], source: Path) -> dict[str, tuple[str, int]]:
    """The part and the rank in it of every text that is drawn."""
    keys: dict[str, list[str]] = {}
    for key, name in census.labels.items():
        keys.setdefault(name, []).append(key)
    total = sum(wanted.values())
    short = [f"'{name}' has {len(found)}" for name, found in sorted(keys.items()) if len(found) < total]
    if short:
        spelled = " + ".join(f"{count} {part}" for part, count in wanted.items())
        raise InputError(
            f"Too few rows: {total} are wanted per label ({spelled}), and {', '.join(short[:10])} different texts.",
            path=source, cure="Ask for fewer or give more rows.",
        )  # fmt: skip
    places = {}
    for found in keys.values():
        ranked = iter(sorted(found))
        for part, count in wanted.items():
            places.update({key: (part, rank) for rank, key in zip(range(count), ranked, strict=False)})
    return places
