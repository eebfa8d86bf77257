"""`synthesizrr index`: the step, and what can be done with the indexes that it left: list, show, move to another store, delete."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from spacy_synthesizrr.cli_errors import user_errors
from spacy_synthesizrr.cli_steps import RUN, do_step
from spacy_synthesizrr.errors import InputError, StoreError
from spacy_synthesizrr.progress import say

if TYPE_CHECKING:
    from spacy_synthesizrr.stores.base import Store
    from spacy_synthesizrr.stores.exchange.form import Manifest
    from spacy_synthesizrr.stores.survey import Held

ABOUT = "Cut the corpus into passages and index them; its commands look after the indexes that are there."
app = typer.Typer(name="index", help=ABOUT)
OF_RUN = typer.Option(None, "--run", help="The run whose store and index are meant (news_demo by default).")
STORE = typer.Option(None, "--store", help="The store of configs/store.NAME.cfg, instead of the run's.")
KEY = typer.Option(None, "--key", help="The key of the index, or its first digits; the run's index by default.")
DEFAULT = "news_demo"


@dataclass(frozen=True)
class Choice:
    """Which store is meant, and which run's index if a run was asked for.

    store (Store): At no index. run (str): Its name; empty where --store says it all. key (str): Of the run's index, if it has one.
    """

    store: Store
    run: str = ""
    key: str = ""


@app.callback(invoke_without_command=True)
@user_errors
def index(ctx: typer.Context, run: str = RUN) -> None:
    """Cut the corpus into passages and index them; its commands look after the indexes that are there."""
    if ctx.invoked_subcommand is None:
        do_step("index", run)
    elif getattr(ctx.get_parameter_source("run"), "name", "") == "COMMANDLINE":
        ctx.obj = run  # given before the command instead of after it


@contextlib.contextmanager
def chosen(ctx: typer.Context, run: str | None, store: str | None) -> Iterator[Choice]:
    """The store that the options name.

    RAISES (SynthesizrrError): When there is no such config, or the run is not set up.
    """
    from spacy_synthesizrr.configs import build, read_config
    from spacy_synthesizrr.context import Context
    from spacy_synthesizrr.jsonl import read_json
    from spacy_synthesizrr.stores.opening import INDEX, configured_store

    run = run or ctx.obj or (DEFAULT if store is None else "")
    name, key, made = "", "", None
    if run:
        context = Context.open(run)
        noted = context.folder.file(INDEX)
        name, key = context.folder.path.name, str(read_json(noted)["key"]) if noted.is_file() else ""
        made = configured_store(context) if store is None else None
    if made is None:
        path = Path("configs") / f"store.{store}.cfg"
        made = build(read_config(path), "store", path=path)
    with contextlib.closing(made):
        yield Choice(made, name, key)


def held_index(choice: Choice, key: str | None) -> Held:
    """The index that is meant: of a key, or of the run.

    RAISES (StoreError): When there is none, or more than one.
    """
    from spacy_synthesizrr.stores.survey import look_up, survey

    if key is not None and not key.strip():
        raise StoreError("--key is empty. Give a key or its first digits (synthesizrr index ls lists them), or leave it out.")
    if key is None and not choice.key:
        raise StoreError(f"The run '{choice.run}' has no index yet. Run the step first: synthesizrr index --run {choice.run}" if choice.run
                         else "Say which index: --key KEY (synthesizrr index ls lists them), or --run NAME for that of a run.")  # fmt: skip
    exact = look_up(choice.store, choice.key if key is None else key)
    if exact is not None:
        return exact
    if key is None:  # and nothing else will do: what only begins like it belongs to others
        raise StoreError(
            f"The index {choice.key} of the run '{choice.run}' is not in {where(choice.store)}. Run the step to build it: "
            f"synthesizrr index --run {choice.run}"
        )
    found = [held for held in survey(choice.store) if held.key.startswith(key)]
    if len(found) != 1:
        many = "More than one index" if found else "No index"
        raise StoreError(f"{many} in {where(choice.store)} has a key that begins with '{key}'. List them: synthesizrr index ls")
    return found[0]


@app.command("ls")
@user_errors
def ls(ctx: typer.Context, run: str | None = OF_RUN, store: str | None = STORE) -> None:
    """List the indexes of a store: key, passages, embedder, whether each is whole."""
    from spacy_synthesizrr.stores.survey import survey

    with chosen(ctx, run, store) as choice:
        found = survey(choice.store)
        of_run = choice.store.at(choice.key).location if choice.key else ""  # a server may have another name for a key
        for held in found:
            say(line(held) + ("  ← " + choice.run if of_run and choice.store.at(held.key).location == of_run else ""))
        say(f"{len(found):,} {'index' if len(found) == 1 else 'indexes'} in {where(choice.store)}")


@app.command("show")
@user_errors
def show(ctx: typer.Context, run: str | None = OF_RUN, store: str | None = STORE, key: str | None = KEY) -> None:
    """Show what is known of one index."""
    from spacy_synthesizrr.jsonl import dumps, read_json

    with chosen(ctx, run, store) as choice:
        held = held_index(choice, key)
        at = choice.store.at(held.key)
        facts = {"key": held.key, "place": at.location, "whole": "yes" if held.whole else "no", "passages": f"{held.passages:,}"}
        facts |= {"deleted": f"{held.deleted:,}", "fingerprint": held.fingerprint, **held.embedder, "notes": str(at.notes)}
        for name, value in facts.items():
            say(f"{'embedder' if name == 'id' else name}: {value}")
        for path in sorted(at.notes.glob("*.json")):
            say(f"{path.name}: {dumps(read_json(path))}")


@app.command("export")
@user_errors
def export(
    ctx: typer.Context,
    file: Path = typer.Argument(..., help="A .parquet file."),  # noqa: B008
    run: str | None = OF_RUN,
    store: str | None = STORE,
    key: str | None = KEY,
) -> None:
    """Write an index with its vectors and its embedder to one parquet file, for another store or machine, or to keep."""
    from spacy_synthesizrr.stores.exchange.writing import export_index

    with chosen(ctx, run, store) as choice:
        held = held_index(choice, key)
        with contextlib.closing(choice.store.at(held.key)) as at:
            if not held.whole:
                raise StoreError(f"The index {at.location} is not whole. Run the step 'index' again: it goes on where it stopped.")
            left_out = f"; {held.deleted:,} deleted ones are left out" if held.deleted else ""
            say(f"{at.location} → {file}: {held.passages:,} passages, embedder {held.embedder.get('id')}{left_out}")
            manifest = export_index(at, held, file)
        say(f"{manifest.passages:,} passages in {file} ({megabytes(file)}); take it in with: synthesizrr index import {file} --store NAME")


@app.command("import")
@user_errors
def take_in(
    ctx: typer.Context,
    file: Path = typer.Argument(..., help="What `synthesizrr index export` wrote."),  # noqa: B008
    run: str | None = OF_RUN,
    store: str | None = STORE,
    key: str | None = typer.Option(None, "--key", help="A key for the index; the one that it had by default, by which runs find it."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Only say what would be done."),
) -> None:
    """Take an index out of a file into a store. The file is checked from end to end first; killed, it goes on."""
    from spacy_synthesizrr.stores.exchange.moving import import_index, plan_import

    with chosen(ctx, run, store) as choice:
        plan = plan_import(choice.store, file, key or "")
        manifest = plan.manifest
        state = ": all of it is there already" if plan.there else ", which was begun" if plan.begun else ""
        say(f"{file} ({megabytes(file)}) → {plan.location}{state}: {about(manifest)}")
        if choice.run:
            say(what_the_run_finds(choice.run, key or manifest.key, manifest.content))
        if dry_run:
            return
        written = import_index(choice.store, file, key or "")
        say(f"{manifest.passages:,} passages in {plan.location}" if written else "Nothing had to be written.")


@app.command("delete")
@user_errors
def delete(
    ctx: typer.Context,
    run: str | None = OF_RUN,
    store: str | None = STORE,
    key: str | None = KEY,
    yes: bool = typer.Option(False, "--yes", help="Really delete it: the step `index` would have to build it again."),
) -> None:
    """Delete an index from its store; without --yes, only say which."""
    from spacy_synthesizrr.stores.survey import remove

    with chosen(ctx, run, store) as choice:
        held = held_index(choice, key)
        if yes:
            with contextlib.closing(choice.store.at(held.key)) as at:
                remove(at)
        say(f"{line(held)}  {'deleted' if yes else 'would be deleted; do it with --yes'}")


def where(store: Store) -> str:
    """RETURNS (str): Where a store is, for people; at no index, so without the name that the collection of one would have."""
    return store.location.split(", collection ")[0]


def line(held: Held) -> str:
    """RETURNS (str): An index in one line."""
    state = "whole" if held.whole else "not whole"
    gone = f" ({held.deleted:,} deleted)" if held.deleted else ""
    vectors = f"{held.embedder['dimensions']} dimensions  {held.embedder['id']}" if held.embedder else "-"
    return f"{held.key}  {state}  {held.passages:,} passages{gone}  {vectors}"


def about(manifest: Manifest) -> str:
    """RETURNS (str): What a file holds."""
    notes = sum(name.startswith("notes/") for name in manifest.files)
    return f"{manifest.passages:,} passages, {manifest.dimensions} dimensions, embedder {manifest.embedder['id']}, {notes} notes"


def what_the_run_finds(run: str, key: str, content: str) -> str:
    """Whether a run will use an index.

    key (str): Where it will lie. content (str): What `Manifest.content` says.
    RETURNS (str): A sentence.
    """
    from spacy_synthesizrr.context import Context
    from spacy_synthesizrr.steps.index import index_key

    wanted, holds = index_key(Context.open(run))
    if wanted == key and holds in ("", content):
        return f"The run '{run}' will find it."
    if wanted == key:
        return (
            f"The run '{run}' looks for its index there, but this one was built from another corpus, or with other settings or releases: "
            "the step 'index' will bring it up to date."
        )
    return f"The run '{run}' will not use it: it was built from another corpus, or with other settings or releases."


def megabytes(path: Path) -> str:
    """The size of a file.

    RAISES (InputError): When it is missing.
    """
    if not path.is_file():
        raise InputError("There is no such file.", path=path)
    return f"{path.stat().st_size / 2**20:.1f} MB"
