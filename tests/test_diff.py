"""What a build says it changed, and `diff`, from the command line of a copy of the project."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

import pytest
import yaml

from benchmarks.__main__ import keep_questions
from generators.pipeline.diff.changes import changes as changes_of
from generators.pipeline.diff.report import as_json, as_markdown, as_text
from generators.pipeline.diff.snapshot import Datum, Snapshot
from tests.project import Project, environment, refused

TREE = "comp4901y/hw4_q2_tree_attention"
PDF = "build/pdf/comp4901y/hw4/question2.pdf"
PARAMS = "generators/courses/comp4901y/params.yml"


def leave_a_candidate_out(project: Project) -> None:
    """Of the 5 candidates of 2.1, of 21 tokens in all, in a tree of 13, one alone has t10: then 17 tokens, 12 in the tree."""
    table = yaml.safe_load(project.path(PARAMS).read_text(encoding="utf-8"))
    candidates = table["hw4_q2_tree_attention"]["candidates"]
    candidates.remove(["t1", "t7", "t8", "t10"])
    project.parameters("hw4_q2_tree_attention", candidates=candidates)


def said(project: Project, *arguments: str) -> list[str]:
    """Run a command that succeeds; return its lines of progress."""
    done = project.run(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stderr.splitlines()


def changes(project: Project, *arguments: str) -> dict[tuple[str, str], tuple[str | None, str | None]]:
    """Old and new text of every change, by place and address."""
    found: list[dict[str, Any]] = json.loads(project.run("diff", *arguments, "--format", "json").stdout)["changes"]
    return {(one["place"], one["address"]): (one["old"], one["new"]) for one in found}


def test_what_a_build_changed(project: Project) -> None:
    """Its last line counts, and `diff` names addresses with both values until another build changes something."""
    nothing = project.run("diff", "--exit-code")
    assert (nothing.returncode, nothing.stdout) == (0, "nothing changed\n")
    whole = project.path(PARAMS).read_text(encoding="utf-8")
    leave_a_candidate_out(project)
    lines = said(project, "pdf")
    counts = r"1 parameter, \d+ values, .*, 2 figures, 1 page, 1 PDF, 2 left-out recordings"
    assert re.fullmatch(f"{counts} changed; `python -m generators diff` shows them", lines[-1])
    assert [line.split(": ")[:2] for line in lines if "left out" in line] == [
        [f"recording left out of {TREE}", f"hw4_q2_tree_batch.{kind}.json"] for kind in ("cuda", "cpu")
    ]

    found = changes(project)
    assert {place for place, _ in found} == {TREE, PDF}
    assert found[TREE, "2.1/share_saved"] == ("8/21", "5/17")  # (21 - 13)/21, (17 - 12)/17
    assert found[TREE, "sheet/n_candidates"] == ("5", "4")
    assert found[TREE, "2.1/mask@rows"][0] == "13 rows: " + ", ".join(map(str, range(1, 14)))
    assert found[TREE, "recordings/hw4_q2_tree_batch.cpu.json"][0] is None
    assert found[TREE, "measured_cpu@title"][1] is None
    assert (TREE, "2.2/share_saved") not in found

    assert said(project, "pdf") == ["build/pdf/ is up to date"]
    shown = project.run("diff", "--exit-code")
    assert shown.returncode == 1
    assert shown.stdout.startswith(f"{TREE}\n  params/candidates  ")
    assert "\n  2.1/share_saved  8/21 -> 5/17\n" in shown.stdout
    assert "    and 19 more cells\n" in shown.stdout.partition("  removed:\n")[2]  # 13*13 - 12*12 of the mask, less the 6 shown
    assert "| 2&#46;1&#47;share&#95;saved | 8&#47;21 | 5&#47;17 |\n" in project.run("diff", "--format", "markdown").stdout

    project.path(PARAMS).write_text(whole, encoding="utf-8")
    assert said(project, "pdf", "comp4901y/hw4_q2")[-1] == lines[-1]
    assert changes(project)[TREE, "2.1/share_saved"] == ("5/17", "8/21")
    assert {place for place, _ in changes(project)} == {TREE, PDF}

    project.path("build/snapshot.json").unlink()
    no_build = "build/snapshot.json: there was no build yet; run `python -m generators site` first"
    assert refused(project, "diff") == no_build


def test_pictures_words_and_a_question_that_is_gone(project: Project) -> None:
    """Nothing of a removed question stays in build/pdf; what others put there does."""
    project.replace(f"templates/{TREE}.md.j2", "adds no tokens, so", "adds none, so")  # stands on the site alone
    assert said(project, "pdf")[-1] == "1 page changed; `python -m generators diff` shows it"
    assert project.run("diff").stdout == (
        f"{TREE}\n  @page  …another adds no tokens, so only paths to leaves are counted…"
        " -> …another adds none, so only paths to leaves are counted. - 2…\n\n1 page changed\n"
    )
    project.replace(f"generators/courses/{TREE}/draw.py", "CELL_PT = 14.4", "CELL_PT = 14.3")
    assert said(project, "pdf")[-1] == "2 figures, 1 PDF changed; `python -m generators diff` shows them"
    assert project.run("diff").stdout == (
        f"{TREE}\n  figure/mask_2.1  looks different\n  figure/mask_2.2  looks different\n\n"
        f"{PDF}\n  @look  looks different\n\n2 figures, 1 PDF changed\n"
    )

    mine = project.path("build/pdf/comp4901y/hw4/mine.pdf")
    mine.write_bytes(b"")
    keep_questions(project.folder, ("comp4901y/hw3", "utaustin"))
    assert said(project, "pdf")[-2:] == [  # the page of the lecture linked to the question
        f"removed {PDF}",
        "1 removed question, 1 removed PDF, 1 page changed; `python -m generators diff` shows them",
    ]
    assert not project.path(PDF).exists()
    assert mine.exists()
    assert "hw4/question2" not in project.path("build/pdf.json").read_text(encoding="utf-8")
    assert f"\n\n{TREE}: removed question\n\n{PDF}: removed PDF\n\n" in project.run("diff").stdout


def git(project: Project, *arguments: str) -> None:
    command = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", *arguments]
    subprocess.run(command, cwd=project.folder, env=environment(), check=True, capture_output=True)


def test_against_a_revision(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The revision is built aside, once, with the student's name; what differs from the working tree is said whole."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(project.folder.parent))
    assert re.fullmatch(
        r"HEAD: must be a revision that git knows here \(not a git repository.*\)", refused(project, "diff", "HEAD")
    )
    project.path(".gitignore").write_text("/build/\n/site/\ndocs/answers/\nstudent.yml\n", encoding="utf-8")
    git(project, "init", "--quiet")
    git(project, "add", ".")
    git(project, "commit", "--quiet", "--message=one")
    assert refused(project, "diff", "nosuch").startswith("nosuch: must be a revision that git knows here (")
    assert refused(project, "diff", "--", "--all").startswith("--all: must be a revision that git knows here (")

    project.path("student.yml").write_text("name: Ada Lovelace\n", encoding="utf-8")
    leave_a_candidate_out(project)
    found = changes(project, "HEAD")
    assert found[TREE, "2.1/share_saved"] == ("8/21", "5/17")
    assert {place for place, _ in found} == {TREE, PDF, "site/"}
    assert ("site/", "answers/comp4901y/hw4/question2.html") in found
    assert ("site/", "answers/comp4901y/hw4/question1.html") not in found
    assert [path.suffix for path in project.path("build/diff").iterdir()] == [".json"]

    git(project, "commit", "--quiet", "--all", "--message=two")
    again = project.run("diff", "HEAD~1", "--exit-code")
    assert (again.returncode, again.stderr) == (1, "site/ is up to date\n")
    same = project.run("diff", "HEAD", "--exit-code")
    assert (same.returncode, same.stdout) == (0, "nothing changed\n")


def table(cells: int, value: str) -> Snapshot:
    """A question with a table of one column in which every cell is `value`."""
    return {"c/hw1_q1": {f"1/t/row_{row}/x": Datum("value", value) for row in range(cells)}}


def test_a_long_table_is_cut() -> None:
    """Six cells are shown of a table; for machines all are."""
    found = changes_of(table(46, "1/2"), table(46, "2/3"))
    lines = as_text(found).splitlines()
    assert lines[:2] == ["c/hw1_q1", "  1/t/row_0/x  1/2 -> 2/3"]
    assert lines[-4:] == ["  1/t/row_5/x  1/2 -> 2/3", "  and 40 more cells", "", "46 values changed"]
    assert len(json.loads(as_json(found))["changes"]) == 46


def test_text_of_parameters_stays_text() -> None:
    """Nothing is markup in Markdown, and a text of several lines stays on one."""
    before, after = ({"c/hw1_q1": {"params/a|b": Datum("parameter", text)}} for text in ("<b> | $x$", "`y`\n\n# z"))
    (row,) = [line for line in as_markdown(changes_of(before, after)).splitlines() if "params" in line]
    assert not re.search(r"[<>$`#](?!\d+;)", row)
    assert row.count("|") == 4  # of the table's 3 columns
