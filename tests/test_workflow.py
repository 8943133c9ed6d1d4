"""When continuous integration runs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

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
    """What is tested or built lies in one of them; of .github the workflow itself and what tests look at."""
    paths = EVENTS[event]["paths"]
    wanted = {WORKFLOW if name == ".github" else f"{name}/**" for name in folders()}
    assert wanted <= set(paths)
    files = {"CHANGELOG.md", ".github/first-page.txt", "mkdocs.yml", "Makefile", "pyproject.toml", "requirements.lock"}
    assert files <= set(paths)


@pytest.mark.parametrize("event", ["push", "pull_request"])
def test_every_path_of_the_workflow_exists(event: str) -> None:
    for path in EVENTS[event]["paths"]:
        assert (ROOT / path.removesuffix("/**")).exists(), path


@pytest.mark.parametrize(
    ("event", "revision", "status", "versions", "changed"),
    [
        ("pull_request", "HEAD^1", 1, 0, "true"),
        ("push", "abc", 0, 0, "false"),
        ("push", "abc", 1, 0, "true"),
        ("push", "abc", 2, 0, "true"),
        ("push", "abc", 0, 1, "true"),
    ],
)
def test_only_a_site_that_changed_is_published(
    tmp_path: Path, event: str, revision: str, status: int, versions: int, changed: str
) -> None:
    """The step that says what changed, with `gh`, `git` and Python that only note what they are asked and end with a status."""
    (step,) = [one for one in CONTENT["jobs"]["build"]["steps"] if one.get("id") == "diff"]
    for name, line in {"gh": "echo abc", "git": f"exit {versions}", ".venv/bin/python": f'echo "$@"; exit {status}'}.items():
        program = tmp_path / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        program.chmod(0o755)
    files = {name: str(tmp_path / name) for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT")}
    env = os.environ | files | {"GITHUB_EVENT_NAME": event, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-e", "-c", step["run"]], cwd=tmp_path, env=env, check=True)
    assert Path(files["GITHUB_OUTPUT"]).read_text(encoding="utf-8") == f"changed={changed}\n"
    asked = Path(files["GITHUB_STEP_SUMMARY"]).read_text(encoding="utf-8")
    assert asked == f"-m generators diff {revision} --format markdown --exit-code\n"
    assert CONTENT["jobs"]["deploy"]["if"].endswith("needs.build.outputs.changed == 'true'")
