"""Every error that this project raises for a user, in one tree.

    SynthesizrrError
    ├── InputError        a file that the user gave: file, line, value, choices, cure
    │   └── TaskFileError the task file itself
    ├── ConfigError       a .cfg file or a setting in it
    ├── RunFolderError    a run folder that belongs to something else
    ├── StoreError        an index that is missing or was built by another embedder
    ├── PlanError         nothing can be planned from this corpus, these seeds and these windows
    ├── TeacherError      the teacher cannot answer any prompt (one bad prompt is a Failure, not an error)
    ├── BudgetReached     a cap on requests, tokens or money was reached; what was paid is kept (exit code 3)
    ├── WaitsForAnswers   requests lie in a file and somebody else has to answer them first (exit code 4)
    ├── StudentError      the student cannot be trained or evaluated on these rows
    ├── PublishError      a repository on a hub cannot take the rows
    └── MissingExtraError an optional package that is not installed

Each text says what failed, the value, the valid choices where there are any, and what to do. The command line prints
it on one line without a traceback and exits with the error's code: 2, where nothing else stands above.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

EXIT_CODE = 2
BUDGET_EXIT_CODE = 3
WAITS_EXIT_CODE = 4


class SynthesizrrError(Exception):
    """Base of all errors that a user can cause and cure.

    exit_code (int): With which the command line ends.
    """

    exit_code = EXIT_CODE


class ConfigError(SynthesizrrError):
    """A config file, or a setting in one, cannot be used."""


class RunFolderError(SynthesizrrError):
    """A run folder holds the results of something else."""


class StoreError(SynthesizrrError):
    """A store is missing, damaged, or was built by another embedder."""


class PlanError(SynthesizrrError):
    """Nothing can be planned."""


class TeacherError(SynthesizrrError):
    """The teacher fails for every prompt."""


class BudgetReached(SynthesizrrError):
    """A cap was reached. Not a fault: with a higher cap the work goes on where it stopped."""

    exit_code = BUDGET_EXIT_CODE


class WaitsForAnswers(SynthesizrrError):
    """Requests were written to a file. Not a fault: when their answers are there, the work goes on."""

    exit_code = WAITS_EXIT_CODE


class StudentError(SynthesizrrError):
    """The student cannot be trained or evaluated."""


class PublishError(SynthesizrrError):
    """The rows cannot be published."""


class InputError(SynthesizrrError):
    """A file given by the user cannot be used.

    message (str): What failed, with the value.
    path (Path): The file.
    line (int): Line or row, counted from 1.
    cure (str): What to do.
    """

    def __init__(self, message: str, *, path: Path | str | None = None, line: int | None = None, cure: str = "") -> None:
        self.path, self.line, self.cure = path, line, cure
        where = "" if path is None else f"{path}:{line}: " if line else f"{path}: "
        super().__init__(f"{where}{message}" + (f" {cure}" if cure else ""))


class TaskFileError(InputError):
    """The task file does not say what it must."""


class MissingExtraError(SynthesizrrError):
    """An optional package is not installed."""

    def __init__(self, module: str, extra: str) -> None:
        super().__init__(
            f"This needs the package '{module}', which is not installed. Install it with: pip install 'spacy-synthesizrr[{extra}]'"
        )


def require(module: str, extra: str) -> ModuleType:
    """Import an optional module or say which extra brings it.

    module (str): Dotted name of the module.
    extra (str): The extra of this package that installs it.
    RETURNS (ModuleType): The module.
    RAISES (MissingExtraError): When it, or something it needs, is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(module, extra) from error


def choices(value: object, valid: Iterable[object]) -> str:
    """Spell out the valid values, the nearest one first where the given value looks like a slip.

    RETURNS (str): A sentence such as "Did you mean 'sport'? Valid: 'business', 'sport'."
    """
    names = [str(name) for name in valid]
    near = difflib.get_close_matches(str(value), names, n=1)
    hint = f"Did you mean '{near[0]}'? " if near else ""
    shown = ", ".join(f"'{name}'" for name in names[:30]) + (" …" if len(names) > 30 else "")
    return f"{hint}Valid: {shown}." if names else "There is no valid choice."
