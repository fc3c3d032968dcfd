"""Runs the commands in a section of the documentation."""

from __future__ import annotations

import re
import shlex
import subprocess

from tests.docs.test_docs import section
from tests.project import Project

SCRIPT = "python extract_images_as_per_tags.py "


def run_recipe(project: Project, page: str, title: str) -> None:
    """Run the last command block of a section in a project's folder; each command must succeed."""
    *_, block = re.findall(r"^```\n(.*?)^```$", section(page, title), flags=re.MULTILINE | re.DOTALL)
    for command in block.splitlines():
        if command.startswith(SCRIPT):
            finished = project.run(*shlex.split(command.removeprefix(SCRIPT)))
            assert finished.code == 0, finished.err
        else:
            subprocess.run(["sh", "-ec", command], cwd=project.path, check=True)
