"""A teacher that writes: a chat server whose answers depend on what it is asked and on nothing else."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

from faulty import BROKEN, Fault, FaultServer, prompt_of, text_of
from loop_project import walk, write_project

TEACHER = """[teacher]
@llm_models = "synthesizrr.ChatCompletions.v1"
base_url = "{url}"
model = "m"

[teacher.parameters]
seed = 0

[teacher.requests]
max_in_flight = 1
max_retries = 0
"""


class Writer(FaultServer):
    """Writes some words of the prompt, which are another label's as well, and some of its own.

    broken (Callable): Of a prompt and its draw, whether the server fails.
    """

    def __init__(self) -> None:
        super().__init__(self._write)
        self.broken = lambda prompt, draw: False

    def _write(self, number: int, body: Mapping) -> Fault:
        prompt, draw = prompt_of(body), body["seed"]
        if self.broken(prompt, draw):
            return BROKEN
        rng = random.Random(f"{draw} {prompt}")
        return Fault(answer=f"{' '.join(rng.choices(prompt.split(), k=6))} {text_of(rng.randrange(10**9))}")

    def config(self, **budget: int) -> str:
        """RETURNS (str): Of a teacher that asks this server. budget (int): Its caps."""
        caps = "".join(f"{name} = {value}\n" for name, value in budget.items())
        return TEACHER.format(url=self.url) + (f"\n[teacher.budget]\n{caps}" if caps else "")


def begin(path: Path, writer: Writer, *, per_label: int = 6) -> None:
    """Make a project whose run "news", with this teacher, has come as far as `curate`."""
    write_project(path)
    (path / "configs/teacher.mine.cfg").write_text(writer.config())
    walk(path, per_label=per_label, teacher="mine")
