"""Commands about a trained student: what is done with it after a run. `COMMANDS` is all that the command line takes from here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import typer

from spacy_synthesizrr.cli_errors import user_errors
from spacy_synthesizrr.cli_steps import RUN
from spacy_synthesizrr.progress import say


@user_errors
def package(
    out: Path = typer.Option(..., help="Folder for the package; the wheel lies in NAME-VERSION/dist there."),  # noqa: B008
    run: str = RUN,
    name: str = typer.Option("", help="Name of the package, without the language; the task's by default."),
    version: str = typer.Option("0.1.0", help="Version of the package."),
    license: str = typer.Option("", help="License that the package names, such as MIT."),
    force: bool = typer.Option(False, "--force", help="Replace a package of the same name and version."),
) -> None:
    """Make a Python package of the student, with its card: pip installs it, spacy.load finds it by name."""
    from spacy_synthesizrr.context import Context
    from spacy_synthesizrr.steps.package import package as make
    from spacy_synthesizrr.steps.package import told
    from spacy_synthesizrr.students.takehome.packaging import Wanted

    for line in told(make(Context.open(run), Wanted(out, name, version, license, force))):
        say(line)


@user_errors
def export_onnx(
    out: Path = typer.Option(..., help="Folder for model.onnx, tokenizer.json and labels.json; new, or of an earlier export."),  # noqa: B008
    run: str = RUN,
    quantize: bool = typer.Option(False, "--quantize", help="Weights as 8-bit numbers: a quarter of the size, scores differ a little."),
) -> None:
    """Write a transformer student as ONNX, which runs with onnxruntime and tokenizers alone."""
    from spacy_synthesizrr.context import Context
    from spacy_synthesizrr.steps.train import STUDENT
    from spacy_synthesizrr.students.span.settings import only_classifiers
    from spacy_synthesizrr.students.transformer.onnx import export_onnx as export

    ctx = Context.open(run)
    only_classifiers("export-onnx", ctx.task.answer)
    for path in export(ctx.folder.file(STUDENT), out, quantize=quantize):
        say(str(path))


@user_errors
def compare(run: str = RUN, students: str = typer.Option("bow,ensemble,reduce", help="Names of configs/student.NAME.cfg.")) -> None:
    """Train and test several kinds of student on the run's rows and on every control, with the same number of steps."""
    from spacy_synthesizrr.context import Context
    from spacy_synthesizrr.steps.compare import compare as compare_students

    compare_students(Context.open(run), [name.strip() for name in students.split(",") if name.strip()])


COMMANDS: Mapping[str, Callable[..., None]] = {"package": package, "export-onnx": export_onnx, "compare": compare}
