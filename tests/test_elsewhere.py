"""The written pages, built by the two programs that read the same mkdocs.yml, say what they say when mkdocs builds them."""

from __future__ import annotations

import html
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import IDS
from tests.project import Project, environment


def articles(site: Path) -> dict[str, str]:
    """What every page says between navigation and footer, by its path, without tags and white space."""
    found = {}
    for path in sorted(site.rglob("*.html")):
        article = re.search(r"<article.*</article>", path.read_text(encoding="utf-8"), re.DOTALL)
        if article:
            found[path.relative_to(site).as_posix()] = "".join(html.unescape(re.sub(r"<[^>]*>", "", article[0])).split())
    return found


@pytest.mark.parametrize("program", ["properdocs", "zensical"])
def test_another_program_builds_the_same_pages(built: Project, tmp_path: Path, program: str) -> None:
    """Each leaves no page out and says the same on it."""
    elsewhere = Project.unbuilt(tmp_path / "elsewhere")
    pages = Project(built.path("docs")).copy(elsewhere.path("docs"))
    assert pages.path("answers/.questions.md").is_file()
    command = [sys.executable, "-m", program, "build"]
    done = subprocess.run(command, cwd=elsewhere.folder, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    wanted = articles(built.path("site"))
    assert len(wanted) > len(IDS)
    assert articles(elsewhere.path("site")) == wanted
