"""Imports point one way, modules stay small, and nothing heavy comes in by the back door."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

PACKAGE = ROOT / "spacy_synthesizrr"
LAYERS = (
    "errors candidates prompts progress words sentences extensions secret_names __init__",
    "answer_spans cli_errors jsonl configs lines fingerprints label_sets yaml_lines project_file",
    "prompt_spec",
    "receipts tables taskfile",
    "corpus_rows instructions dimensions",
    "context corpus embedders models documents",
    "stores",
    "lookup",
    "curation",
    "labelled metrics sourcing funnel",
    "draws tasks students teachers",
    "components synthesis report trace set_filters measuring",
    "steps",
    "doctor scaffold env_file cli_steps ablations",
    "loop",
    "cli_responses cli_teacher cli_index cli_doctor cli_env cli_seeds cli_students cli_ablate cli_rows cli_loop",
    "cli",
    "spacy_cli __main__",
)
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names.split()}
BRIDGE = ROOT / "argilla_bridge"
MODULES = sorted(PACKAGE.rglob("*.py"))
BRIDGE_MODULES = sorted(BRIDGE.rglob("*.py"))
ALL_MODULES = [*MODULES, *BRIDGE_MODULES]


def unit(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported_units(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("spacy_synthesizrr."):
            names.add(str(node.module).split(".")[1])
        elif isinstance(node, ast.ImportFrom) and node.module == "spacy_synthesizrr":
            names |= {alias.name for alias in node.names}
    return names - {unit(path)}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path):
    upward = {name for name in imported_units(path) if RANK[name] >= RANK[unit(path)]}
    assert not upward


def test_imports_between_kinds_of_models_point_down():
    """What was paid for knows nothing of how it was asked for."""
    order = ("answers", "chat", "batch hf")
    rank = {name: number for number, names in enumerate(order) for name in names.split()}
    for kind in rank:
        for path in (PACKAGE / "models" / kind).glob("*.py"):
            used = set(re.findall(r"spacy_synthesizrr\.models\.(\w+)", path.read_text(encoding="utf-8"))) & rank.keys()
            assert not {name for name in used - {kind} if rank[name] >= rank[kind]}, path


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no checkout")
def test_a_checkout_has_every_module():
    """Nothing of the package is hidden by .gitignore, and every folder is a package."""
    ignored = subprocess.run(
        ["git", "check-ignore", "--stdin"], cwd=ROOT, input="\n".join(map(str, ALL_MODULES)), capture_output=True, text=True
    )
    assert not ignored.stdout
    assert {path.parent for path in ALL_MODULES} == {path.parent for path in ALL_MODULES if path.name == "__init__.py"}


def test_the_package_never_imports_the_bridge():
    assert not [path for path in MODULES if "argilla_bridge" in path.read_text(encoding="utf-8")]


def test_only_the_server_part_of_the_bridge_imports_argilla():
    imports = re.compile(r"^\s*(?:import|from) argilla\b|require\(\"argilla\"", re.MULTILINE)
    users = [path for path in BRIDGE_MODULES if imports.search(path.read_text(encoding="utf-8"))]
    assert {path.parent for path in users} <= {BRIDGE / "server"}


def test_importing_the_bridge_imports_nothing_heavy():
    assert not loaded("import argilla_bridge.cli") & {"argilla", "spacy", "numpy", "sklearn", "matplotlib", "pandas", "datasets"}


@pytest.mark.parametrize("path", ALL_MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_has_at_most_300_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


@pytest.mark.parametrize("path", ALL_MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_function_has_at_most_50_lines(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            start = node.body[1].lineno if ast.get_docstring(node) and len(node.body) > 1 else node.lineno
            assert (node.end_lineno or 0) - start < 50, node.name


def loaded(code: str) -> set[str]:
    """Top-level modules that a fresh Python has loaded after running some code."""
    probe = f"import sys; {code}; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    return set(subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout.split())


def test_importing_the_package_imports_nothing_heavy():
    assert not loaded("import spacy_synthesizrr") & {"spacy", "numpy", "sklearn", "matplotlib", "pydantic", "typer"}


def test_the_command_line_imports_nothing_heavy():
    assert not loaded("import spacy_synthesizrr.cli") & {"spacy", "numpy", "sklearn", "matplotlib", "torch", "transformers"}


def test_being_installed_adds_nothing_heavy_to_a_blank_pipeline():
    heavy = {"torch", "transformers", "weaviate", "argilla", "evaluate", "sklearn", "matplotlib", "scipy", "ruamel"}
    with_spacy_llm = loaded("import spacy, spacy_llm; spacy.blank('en')")
    assert not (loaded("import spacy; spacy.blank('en')") - with_spacy_llm) & heavy


def test_every_entry_point_can_be_loaded():
    from importlib.metadata import distribution

    found = [point for point in distribution("spacy-synthesizrr").entry_points if point.group != "spacy_cli"]
    assert len(found) > 10
    assert all(point.load() for point in found)


def test_no_test_has_the_name_of_another_module():
    """pytest puts folders of tests on the path: the first of two modules with one name would be taken for both."""
    beside = [path for path in (ROOT / "tests").rglob("*.py") if not (path.parent / "__init__.py").exists()]
    names = [path.stem for path in [*beside, *(ROOT / "benchmarks").glob("*.py")]]
    assert len(names) > 100 and sorted({*names}) == sorted(names)
