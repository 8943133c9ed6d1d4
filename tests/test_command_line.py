"""The command line: what it prints, how it ends, and what a refused command leaves alone."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import tomllib
from functools import partial

import pytest

from generators.errors import UnknownQuestion
from generators.pipeline.catalog import ROOT, find
from tests.conftest import IDS
from tests.project import Project, environment, refused

HW3 = "hw3_q1_arithmetic_intensity"
FINE = "hw4_q1_finetuning_memory"
TREE = "hw4_q2_tree_attention"


@pytest.fixture(scope="module")
def copied(built: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of its own, in which commands do not wait for those of other tests."""
    return built.copy(tmp_path_factory.mktemp("project"))


def test_list(copied: Project) -> None:
    """Id and title in two columns, course by course."""
    done = copied.run("list")
    assert (done.returncode, done.stderr) == (0, "")
    ids = [line.split()[0] for line in done.stdout.splitlines()]
    assert re.search(rf"^comp4901y/{TREE} +Tree attention: prefix trees and masks$", done.stdout, re.MULTILINE)
    assert {f"comp4901y/{slug}" for slug in (HW3, FINE, TREE)} <= set(ids)
    courses = [one.partition("/")[0] for one in ids]
    assert courses == sorted(courses)


def test_list_of_a_document_for_machines(copied: Project) -> None:
    """A filter is the beginning of an id."""
    done = copied.run("list", "comp4901y/hw4_q2", "--json")
    title = "Tree attention: prefix trees and masks"
    assert json.loads(done.stdout) == [
        {"id": f"comp4901y/{TREE}", "course": "comp4901y", "document": "hw4", "number": 2, "title": title}
    ]


def test_version(copied: Project) -> None:
    """That of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert copied.run("--version").stdout == f"{project['version']}\n"


def test_a_shell_completes_ids(copied: Project) -> None:
    """As click's bash script asks: the words so far, and the place of the one that is begun."""
    asked = {"_ANSWERS_COMPLETE": "bash_complete", "COMP_WORDS": "answers show comp4901y/hw4_q2", "COMP_CWORD": "2"}
    assert copied.run("show", "comp4901y/hw4_q2", **asked).stdout == f"plain,comp4901y/{TREE}\n"


def test_show(copied: Project) -> None:
    """Every datum at its address for a terminal; the answer is read, not computed again."""
    done = copied.run("show", "comp4901y/hw4_q1")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == f"comp4901y/{FINE}: Memory of four fine-tuning methods"
    assert "  1.1/gradients = 24*D**2*N_top = 1610612736 B" in lines
    assert "1.4 VeRA" in lines
    assert any(re.fullmatch(r"\d+ values found again", line) for line in lines)


def test_show_json_is_the_object_in_answers_json(copied: Project) -> None:
    """A question is the same for machines on the site and on the terminal."""
    done = copied.run("show", "comp4901y/hw3_q1", "--json")
    site = json.loads(copied.path("site/answers.json").read_text(encoding="utf-8"))
    assert json.loads(done.stdout) == next(one for one in site["questions"] if one["id"] == f"comp4901y/{HW3}")


def test_verify_finds_everything_again(copied: Project) -> None:
    """Also where nothing changed; progress goes to standard error."""
    done = copied.run("verify", "comp4901y/hw4_q2")
    assert done.returncode == 0
    count = re.fullmatch(r"(\d+) values found again\n", done.stdout)
    assert count
    assert f"comp4901y/{TREE}: {count[1]} values found again" in done.stderr


def test_pdf_of_one_question(copied: Project) -> None:
    """A current PDF is not written again; where it is is said."""
    done = copied.run("pdf", "comp4901y/hw4_q2")
    assert (done.returncode, done.stdout, done.stderr) == (0, "build/pdf/comp4901y/hw4/question2.pdf\n", "")


def test_pdfs_of_a_document(copied: Project) -> None:
    """The beginning of several ids means all of them."""
    done = copied.run("pdf", "comp4901y/hw4")
    assert done.stdout == "".join(f"build/pdf/comp4901y/hw4/question{number}.pdf\n" for number in (1, 2, 3))


def test_an_ambiguous_id(copied: Project) -> None:
    """All questions it may mean are named where only one can be shown."""
    meant = [one for one in IDS if one.startswith("comp4901y/hw4")]
    assert {f"comp4901y/{FINE}", f"comp4901y/{TREE}"} < set(meant)
    assert refused(copied, "show", "comp4901y/hw4") == f"comp4901y/hw4: names {len(meant)} questions: {', '.join(meant)}"


@pytest.mark.parametrize("command", ["list", "show", "verify", "pdf"])
def test_an_unknown_id(copied: Project, command: str) -> None:
    """The message says how to find the right one."""
    hint = r"`python -m generators list` shows all \d+"
    assert re.fullmatch(f"zzz: names no question; {hint}", refused(copied, command, "zzz"))


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("hw4_q2", [TREE]),
        ("comp4901y/hw4q2_tree_attention", [TREE]),
        ("hw4q2", [TREE]),
        ("hw4", [FINE, TREE, "hw4_q3_speculative_decoding"]),
    ],
)
def test_an_id_that_was_nearly_right(given: str, meant: list[str]) -> None:
    """Ids that hold the text come first, else those that it may be a misspelling of, the nearest first."""
    with pytest.raises(UnknownQuestion) as refusal:
        find(given)
    suggested = str(refusal.value).removeprefix(f"{given}: names no question; did you mean ").removesuffix("?").split(" or ")
    assert suggested[: len(meant)] == [f"comp4901y/{one}" for one in meant]


def test_wrong_usage(copied: Project) -> None:
    """An unknown command ends with status 2 as well."""
    done = copied.run("sites")
    assert done.returncode == 2
    assert "No such command 'sites'" in done.stderr


def test_a_terminal_shows_how_far_a_command_is(project: Project) -> None:
    """How many questions are done, for how long it has worked, and what still runs; a log has the lines alone."""
    shown, end = pty.openpty()
    tree = f"comp4901y/{TREE}"
    variables = environment() | {"TERM": "xterm", "COLUMNS": "120"}
    process = subprocess.Popen(project.command("verify", tree), cwd=project.folder, env=variables, stderr=end)
    os.close(end)
    seen = b"".join(iter(partial(_read, shown), b"")).decode()
    os.close(shown)
    assert process.wait() == 0
    assert re.search(rf"0/1 0:00:0\d {tree}", re.sub(r"\x1b\[[\d;?]*\w", "", seen))
    assert re.search(rf"{tree}: \d+ values found again", seen)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # nothing writes to it any more
        return b""
