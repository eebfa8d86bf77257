"""The command line: one command per step, each body a call to a plain function.

Nothing heavy is imported here: `synthesizrr --help` must come at once, and spaCy's own command line imports this module on
every call.
"""

from __future__ import annotations

from pathlib import Path

import typer

from spacy_synthesizrr.cli_ablate import COMMANDS as ABLATION_COMMANDS
from spacy_synthesizrr.cli_doctor import doctor
from spacy_synthesizrr.cli_env import env
from spacy_synthesizrr.cli_errors import user_errors
from spacy_synthesizrr.cli_index import app as index_app
from spacy_synthesizrr.cli_loop import loop
from spacy_synthesizrr.cli_responses import app as responses_app
from spacy_synthesizrr.cli_rows import publish, report_app, rows
from spacy_synthesizrr.cli_seeds import app as seeds_app
from spacy_synthesizrr.cli_steps import RUN, do_step
from spacy_synthesizrr.cli_students import COMMANDS as STUDENT_COMMANDS
from spacy_synthesizrr.cli_teacher import local_teacher
from spacy_synthesizrr.jsonl import atomic
from spacy_synthesizrr.progress import say

HELP = "From a label set and a pile of unlabelled text to a small, fast spaCy classifier."
app = typer.Typer(name="synthesizrr", help=HELP, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(seeds_app)
app.add_typer(index_app)
app.add_typer(responses_app)
app.add_typer(report_app)


@app.command()
@user_errors
def prepare(
    task: str = typer.Option(..., help="Folder with a task.yml, or the file itself."),
    run: str = RUN,
    strategy: str = typer.Option("synthesizrr", help="Name of configs/strategy.NAME.cfg."),
    store: str = typer.Option("memory", help="Name of configs/store.NAME.cfg."),
    teacher: str = typer.Option("extractive", help="Name of configs/teacher.NAME.cfg."),
    student: str = typer.Option("bow", help="Name of configs/student.NAME.cfg."),
    review: str = typer.Option("none", help="Name of configs/review.NAME.cfg."),
    per_label: int = typer.Option(50, help="Rows to accept per label."),
    seed: int = typer.Option(0, help="Seed of everything random."),
    lang: str = typer.Option("en", help="Language of chunking, tokens and student."),
    gpu_id: int = typer.Option(-1, help="GPU for the student; -1 is the CPU."),
    curate: str = typer.Option("", help="Path of a config to use in place of configs/curate.cfg."),
    measure: str = typer.Option("", help="Path of a config to use in place of configs/measure.cfg."),
) -> None:
    """Check the task and its files, and guard the run folder."""
    from spacy_synthesizrr.steps.prepare import Choices
    from spacy_synthesizrr.steps.prepare import run as run_prepare

    wanted = Choices(task, run, strategy, store, teacher, student, review, per_label, seed, lang, gpu_id, curate, measure)
    changed = run_prepare(wanted)
    say(f"prepare: {'the run ' + repr(run) + ' is set up' if changed else 'nothing changed'}")


def _add_step(name: str, about: str) -> None:
    @user_errors
    def command(run: str = RUN) -> None:
        do_step(name, run)

    app.command(name=name, help=about)(command)


for _name, _about in {
    "rationales": "Ask the teacher for the reasons and attributes that rows are written from, once (only strategies that have some).",
    "plan": "Retrieve passages for every seed and plan the prompts, before anything is generated.",
    "synthesize": "Ask the teacher until enough rows per label are accepted (resumable).",
    "curate": "Judge the finished set, keep every rejected row with its reason, count the funnel.",
    "export": "Write train, dev and test sets for the student and every control.",
    "measure": "Measure the exported rows beside controls, seeds and gold.",
    "train": "Train the student and every control, several seeds each, with the same number of steps.",
    "evaluate": "Evaluate the student and every control on the test set.",
}.items():
    _add_step(_name, _about)


@app.command()
@user_errors
def preview(run: str = RUN, n: int = typer.Option(2, "-n", min=1, help="Prompts to show per label.")) -> None:
    """Show a few rendered prompts and what all of them will cost in tokens, before a cent is spent."""
    from spacy_synthesizrr.context import Context
    from spacy_synthesizrr.steps.preview import preview as text

    context = Context.open(run)
    with atomic(context.folder.file("preview.txt")) as file:
        for line in text(context, per_label=n):
            file.write(line + "\n")
            say(line)


@app.command("plan-cost")
@user_errors
def plan_cost(run: str = RUN) -> None:
    """Say what the run will take before the first call: calls, tokens and money, low / likely / high."""
    from spacy_synthesizrr.context import Context
    from spacy_synthesizrr.steps.plan_cost import plan_cost as estimate
    from spacy_synthesizrr.steps.plan_cost import table

    context = Context.open(run)
    with atomic(context.folder.file("plan-cost.txt")) as file:
        for line in table(estimate(context)):
            file.write(line + "\n")
            say(line)


@app.command()
@user_errors
def trace(id: str = typer.Argument(..., help="A candidate's id, or its first digits."), run: str = RUN) -> None:
    """Tell the whole life of one row: seed, passage, prompt, answer, every verdict."""
    from spacy_synthesizrr.context import Context
    from spacy_synthesizrr.trace import trace as text

    say(text(Context.open(run), id))


@app.command()
@user_errors
def calibrate(run: str = RUN) -> None:
    """Draw the similarities between seeds and passages, and propose windows."""
    from spacy_synthesizrr.context import Context
    from spacy_synthesizrr.steps.plan import calibrate as text

    context = Context.open(run)
    drawn = text(context)
    with atomic(context.folder.file("calibrate.txt")) as file:
        file.write(drawn + "\n")
    say(drawn)


@app.command()
@user_errors
def init(folder: Path = typer.Argument(..., help="A folder that is new or empty.")) -> None:  # noqa: B008
    """Write a complete project to start from: project.yml, configs and the demo task."""
    from spacy_synthesizrr.scaffold import write_project

    for path in write_project(folder):
        say(str(path))
    say(f"Next: cd {folder} && python -m spacy project run all")


for _name, _command in {**STUDENT_COMMANDS, **ABLATION_COMMANDS}.items():
    app.command(_name)(_command)

app.command()(loop)
app.command()(rows)
app.command()(publish)
app.command()(local_teacher)
app.command()(doctor)
app.command()(env)


def main() -> None:
    """Entry point of the `synthesizrr` script."""
    app()
