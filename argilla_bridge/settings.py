"""configs/review.NAME.cfg, checked: who reviews what, where, and what is done with the votes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from spacy_synthesizrr.configs import Settings, section
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.errors import ConfigError

MODES = ("fast", "careful")
NAME = re.compile(r"^[a-zA-Z0-9][a-zA-Z0-9_.-]*$")


class ReviewSettings(Settings):
    """The section [review].

    backend (str): "none", "argilla" or "file".
    mode (str): "fast" is one question, one key per row; "careful" asks for label, verdict, corrected text and reason.
    workspace (str): In Argilla; it must exist.
    dataset (str): In Argilla; empty means the run's name. "-overlap" and "-adjudication" are added for the others.
    min_submitted (int): People per row of the main dataset.
    overlap (float): Share of the rows that go to the overlap dataset instead, to measure agreement.
    overlap_submitted (int): People per row there.
    blind (float): Share of the rows that show no suggestion, to measure its pull.
    rows (int | None): At most so many rows, those of the highest priority; None means all.
    ties (str): "adjudicate" asks once more in a dataset of its own, "suggestion" takes the suggestion where it is among the
        tied answers (else adjudicates), "drop" rejects the row.
    stale (str): What happens to rows whose text is no longer in the run: "remove" or "keep".
    pseudonyms (bool): Whether people appear as "annotator-1" … in every file instead of by name.
    names (Mapping[str, str]): User name → the name to write instead.
    datasets (bool): Whether `pull` also writes votes.parquet and dataset/ (of the package `datasets`; extra `argilla`).
    vectors (bool): Whether text and passage vectors are sent, for find-similar.
    seed (int): Of the overlap and blind shares.
    """

    backend: Literal["none", "argilla", "file"] = "none"
    mode: Literal["fast", "careful"] = "fast"
    workspace: str = "argilla"
    dataset: str = ""
    min_submitted: int = Field(1, ge=1)
    overlap: float = Field(0.1, ge=0, le=1)
    overlap_submitted: int = Field(2, ge=2)
    blind: float = Field(0.1, ge=0, le=1)
    rows: int | None = Field(None, ge=1)
    ties: Literal["adjudicate", "suggestion", "drop"] = "adjudicate"
    stale: Literal["remove", "keep"] = "remove"
    pseudonyms: bool = False
    names: Mapping[str, str] = Field(default_factory=dict)
    datasets: bool = False
    vectors: bool = True
    seed: int = 0

    @field_validator("dataset")
    @classmethod
    def _plain_name(cls, value: str) -> str:
        if value and not NAME.match(value):
            raise ValueError("is not a name that Argilla takes: letters, digits, '-', '_' and '.', and a letter or digit first")
        return value

    @model_validator(mode="after")
    def _names_differ(self) -> ReviewSettings:
        if len({*self.names.values()}) < len(self.names):
            raise ValueError("'names' gives two people the same name; their votes could not be told apart")
        return self


class ServerSettings(Settings):
    """The section [server]: where Argilla answers. Only names of environment variables stand here, never a key.

    url_env (str): Variable with the server's URL.
    key_env (str): Variable with the API key.
    headers_env (Mapping[str, str]): HTTP header → variable with its value, such as the token of a private Hugging Face Space.
    timeout (float): Seconds per request.
    retries (int): Of requests that did not reach the server.
    batch_size (int): Rows per request; the server takes at most 500.
    """

    url_env: str = "ARGILLA_API_URL"
    key_env: str = "ARGILLA_API_KEY"
    headers_env: Mapping[str, str] = Field(default_factory=dict)
    timeout: float = Field(60.0, gt=0)
    retries: int = Field(5, ge=0)
    batch_size: int = Field(256, ge=1, le=500)


class FileSettings(Settings):
    """The section [file]: where rows are written for people without Argilla.

    path (str): .jsonl or .csv; relative to the run folder. The filled-in file is read from the same place.
    copies (Sequence[str]): Copies that other people filled in, relative to the run folder too.
    user (str): Whose votes a file holds that has no column `user`.
    """

    path: str = "review/rows.csv"
    copies: tuple[str, ...] = ()
    user: str = "reviewer"


def review_settings(ctx: Context) -> ReviewSettings:
    """RETURNS (ReviewSettings): The run's [review]."""
    return _read(ctx, "review", ReviewSettings)


def server_settings(ctx: Context) -> ServerSettings:
    """RETURNS (ServerSettings): The run's [server]."""
    return _read(ctx, "server", ServerSettings)


def file_settings(ctx: Context) -> FileSettings:
    """RETURNS (FileSettings): The run's [file]."""
    return _read(ctx, "file", FileSettings)


def _read(ctx: Context, name: str, model: type[Any]) -> Any:
    config, path = ctx.config("review"), ctx.config_path("review")
    unknown = set(config) - {"review", "server", "file", "export"}
    if unknown:
        raise ConfigError(f"{path}: there is no section [{sorted(unknown)[0]}]. Valid: [review], [server], [file], [export].")
    return section(config, name, model, path=path)
