"""`synthesizrr env`: secrets for compose.yml, written once and never shown."""

import stat
import subprocess

import pytest
from typer.testing import CliRunner

from spacy_synthesizrr.cli import app
from spacy_synthesizrr.env_file import ADDRESSES, SECRETS, is_ignored, write_env
from spacy_synthesizrr.errors import InputError


def values(path):
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def test_every_secret_is_long_and_its_own(tmp_path):
    assert write_env(tmp_path / ".env") == [*SECRETS, *ADDRESSES]
    found = values(tmp_path / ".env")
    made = [found[name] for name in SECRETS]
    assert len(set(made)) == len(made)
    assert all(len(value) >= 32 and value.isalnum() for value in made)


def test_two_files_have_no_secret_in_common(tmp_path):
    write_env(tmp_path / "a")
    write_env(tmp_path / "b")
    first, second = (values(tmp_path / name) for name in "ab")
    assert not {first[name] for name in SECRETS} & {second[name] for name in SECRETS}


def test_only_its_owner_may_read_it(tmp_path):
    write_env(tmp_path / ".env")
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600


def test_a_file_that_is_there_stays(tmp_path):
    (tmp_path / ".env").write_text("mine=1\n")
    with pytest.raises(InputError, match="there already"):
        write_env(tmp_path / ".env")
    assert (tmp_path / ".env").read_text() == "mine=1\n"


def test_the_command_shows_names_and_no_value(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["env"])
    assert done.exit_code == 0, done.output
    found = values(tmp_path / ".env")
    assert all(name in done.output and found[name] not in done.output for name in SECRETS)


def test_a_file_that_version_control_would_take_is_pointed_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".gitignore").write_text("runs/\n")
    assert "add the line .env to .gitignore" in CliRunner().invoke(app, ["env"]).output


def test_a_project_of_init_does_not_keep_versions_of_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(app, ["init", "mine"]).exit_code == 0
    assert (tmp_path / "mine" / "compose.yml").is_file()
    assert is_ignored(tmp_path / "mine" / ".env")


@pytest.fixture(params=["git", "no git"])
def repository(request, tmp_path, monkeypatch):
    """A repository with a folder in it, with and without a git to ask."""
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    if request.param == "no git":
        monkeypatch.setenv("PATH", "")
    (tmp_path / "deploy").mkdir()
    return tmp_path


@pytest.mark.parametrize("lines", ["", "runs/\n", "/.env\n"])
def test_a_file_in_a_folder_of_a_repository_that_would_take_it_is_pointed_out(repository, monkeypatch, lines):
    (repository / ".gitignore").write_text(lines)
    monkeypatch.chdir(repository)
    assert "to .gitignore" in CliRunner().invoke(app, ["env", "--file", "deploy/.env"]).output


@pytest.mark.parametrize("lines", [".env\n", "/deploy/.env\n", "# mine\ndeploy/.env\n"])
def test_a_gitignore_further_up_counts(repository, monkeypatch, lines):
    (repository / ".gitignore").write_text(lines)
    monkeypatch.chdir(repository / "deploy")
    assert "to .gitignore" not in CliRunner().invoke(app, ["env"]).output


def test_a_folder_of_a_repository_without_a_gitignore_is_pointed_out(repository, monkeypatch):
    monkeypatch.chdir(repository / "deploy")
    assert "to .gitignore" in CliRunner().invoke(app, ["env"]).output


def test_patterns_are_for_git_to_say(tmp_path):
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    (tmp_path / ".gitignore").write_text("*.env\n!keep.env\n")
    assert is_ignored(tmp_path / "a.env")
    assert not is_ignored(tmp_path / "keep.env")
