"""`synthesizrr env`: secrets for compose.yml, written once and never shown."""

import stat

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
