"""`publish` against a hub on this machine: what arrives there, through the hub's own library."""

import os
import socket
import subprocess
import sys

from hub import running_hub

from spacy_synthesizrr.steps import export

WORDS = ("-m", "spacy_synthesizrr", "publish", "--repo", "ann/tiny", "--run", "tiny", "--yes")


def published(url, home):
    """Run the command as a process of its own, since the library reads its environment when it is imported."""
    known = {**os.environ, "HF_ENDPOINT": url, "HF_HOME": str(home), "HF_TOKEN": "hf_only_a_test", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    return subprocess.run([sys.executable, *WORDS], env=known, capture_output=True, text=True, timeout=120, check=False)


def test_rows_and_card_arrive_in_a_private_repository(walked, tmp_path):
    export.run(walked)
    with running_hub() as hub:
        done = published(hub.url, tmp_path / "home")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [(one["name"], one["organization"], one.get("visibility", one.get("private"))) for one in hub.made] in (
        [("tiny", "ann", "private")],
        [("tiny", "ann", True)],
    )
    folder = walked.folder.file("publish")
    assert hub.files == {name: (folder / name).read_bytes() for name in ("README.md", "data/train.jsonl")}
    assert hub.tokens == {"Bearer hf_only_a_test"}
    assert f"Published: {hub.url}/datasets/ann/tiny" in done.stdout


def test_a_hub_that_does_not_answer_is_told_in_a_sentence(walked, tmp_path):
    export.run(walked)
    with socket.socket() as taken:  # bound and not listening: nobody answers
        taken.bind(("127.0.0.1", 0))
        done = published(f"http://127.0.0.1:{taken.getsockname()[1]}", tmp_path / "home")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "The hub did not take ann/tiny" in done.stdout + done.stderr
