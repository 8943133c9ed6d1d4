"""When continuous integration runs."""

from __future__ import annotations

import subprocess

import pytest
import yaml

from generators.pipeline.catalog import ROOT

WORKFLOW = ".github/workflows/publish.yml"
CONTENT = yaml.safe_load((ROOT / WORKFLOW).read_text(encoding="utf-8"))
EVENTS = CONTENT[True]  # YAML 1.1 reads the key `on` as true


def folders() -> set[str]:
    """The top folders of what git tracks."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return {name.partition("/")[0] for name in listed.stdout.splitlines() if "/" in name}


@pytest.mark.parametrize("event", ["push", "pull_request"])
def test_a_change_in_any_folder_starts_the_workflow(event: str) -> None:
    """What is tested or built lies in one of them; of .github only the workflow itself matters."""
    paths = EVENTS[event]["paths"]
    wanted = {WORKFLOW if name == ".github" else f"{name}/**" for name in folders()}
    assert wanted <= set(paths)
    assert {"mkdocs.yml", "Makefile", "pyproject.toml", "requirements.lock"} <= set(paths)


@pytest.mark.parametrize("event", ["push", "pull_request"])
def test_every_path_of_the_workflow_exists(event: str) -> None:
    for path in EVENTS[event]["paths"]:
        assert (ROOT / path.removesuffix("/**")).exists(), path
