"""Build hook: a wheel carries the project's files, so that `synthesizrr init` can write them without a clone.

Everything else stands in setup.cfg. The files have one home, the repository's root; a wheel gets copies.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

PARTS = ("project.yml", "compose.yml", "configs", "grids", "assets")


class BuildWithProject(build_py):
    """Copies project.yml, compose.yml, configs/, grids/ and assets/ to `spacy_synthesizrr/project/` inside the wheel."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib) / "spacy_synthesizrr" / "project"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for part in PARTS:
            if Path(part).is_dir():
                shutil.copytree(part, target / part, ignore=shutil.ignore_patterns("*.local.cfg"))
            else:
                shutil.copyfile(part, target / part)


setup(cmdclass={"build_py": BuildWithProject})
