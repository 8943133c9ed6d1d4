"""What is refused: one line on standard error, status 2, and nothing half-written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from generators.errors import ParameterError
from generators.pipeline.catalog import load_params, load_question
from generators.pipeline.unit import Task, verified
from tests.entries import ENTRIES, id_of
from tests.project import PROGRESS, Project, refused

HW3 = "hw3_q1_arithmetic_intensity"
TREE = "hw4_q2_tree_attention"
ONE = {"name": "H100", "source": "its datasheet", "peak_tflops": 989.4, "bandwidth_gb_per_s": 3350}
PARAMS = "generators/courses/comp4901y/params.yml"
TREES = f"generators/courses/comp4901y/{TREE}"


@pytest.fixture(scope="module")
def copied(small: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """One built copy, which each bad input breaks and then mends."""
    return small.copy(tmp_path_factory.mktemp("project"))


@pytest.fixture
def project(copied: Project) -> Iterator[Project]:
    """The copy as it was built: generators and templates are put back after each test."""
    sources = {path: path.read_bytes() for name in ("generators", "templates") for path in copied.path(name).rglob("*.*")
               if path.is_file() and "__pycache__" not in path.parts}  # fmt: skip
    yield copied
    for path, content in sources.items():
        if not path.is_file() or path.read_bytes() != content:
            path.write_bytes(content)


def test_a_bad_parameter(project: Project) -> None:
    """File, entry, field, rule and value; the site and the PDFs stay."""
    project.parameters(HW3, n_heads=33)
    assert refused(project, "site") == f"{PARAMS}: {HW3}: d_model: must be divisible by n_heads (got 4096 and 33)"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sequence": 5}, "sequence: is not a known key (got 5)"),
        ({"seq_length": 5, "seq_len": "long"}, "seq_length: is not a known key (got 5) (and 1 more)"),
        ({"seq_len": "long"}, "seq_len: must be a valid integer (got 'long')"),
        ({"seq_len": 0}, "seq_len: must be greater than 0 (got 0)"),
        ({"accelerators": 5}, "accelerators: must be a valid list (got 5)"),
        ({"accelerators": ["one"]}, "accelerators.0: must be a mapping (got 'one')"),
        (
            {"accelerators": [ONE | {"name": "n" * 200}]},
            f"accelerators.0.name: must have at most 60 characters (got '{'n' * 56}...)",
        ),
        (
            {"accelerators": [ONE | {"source": "n" * 201}]},
            f"accelerators.0.source: must have at most 200 characters (got '{'n' * 56}...)",
        ),
        (
            {"accelerators": [ONE | {"peak_tflops": "1e-99"}]},
            "accelerators.0.peak_tflops: must be greater than or equal to 1e-15 (got '1e-99')",
        ),
        (
            {"accelerators": [ONE | {"peak_tflops": "1e-999"}]},
            "accelerators.0.peak_tflops: must have an exponent of at most two digits (got '1e-999')",
        ),
        ({"accelerators": [ONE | {"peak_tflops": "1_000"}]}, "accelerators.0.peak_tflops: must be a finite number (got '1_000')"),
        (
            {"accelerators": [{{"peak_tflops": "peak_tflop"}.get(key, key): value for key, value in ONE.items()}]},
            f"accelerators.0.peak_tflop: is not a known key, and peak_tflops is missing (got {ONE['peak_tflops']}) (and 1 more)",
        ),
        ({"n\u200b" * 40: 5}, f"{'n�' * 40}: is not a known key (got 5)"),
        ({"seq_len": 10**30}, f"seq_len: must be less than or equal to {2**40} (got {10**30})"),
    ],
)
def test_a_rule_that_is_broken(changes: dict[str, Any], message: str) -> None:
    """A misspelt key comes first, as it explains what is missing."""
    question_id = id_of(f"comp4901y/{HW3}")
    with pytest.raises(ParameterError) as refusal:
        load_params(question_id, load_question(question_id), {**ENTRIES[question_id], **changes})
    assert str(refusal.value) == f"{PARAMS}: {HW3}: {message}"


def test_a_size_that_no_library_holds() -> None:
    """The largest number of the entry is named, as it is what is too large."""
    task = Task.at(id_of(f"comp4901y/{HW3}"), {**ENTRIES[id_of(f"comp4901y/{HW3}")], "seq_len": 2**40})
    with pytest.raises(ParameterError) as refusal:
        verified(task)
    assert str(refusal.value) == f"{PARAMS}: {HW3}: seq_len: must be small enough to be checked (got {2**40})"


@pytest.mark.parametrize("command", ["list", "show", "verify", "pdf"])
def test_every_command_refuses_a_bad_file(project: Project, command: str) -> None:
    """None works with half of the parameters."""
    project.path(PARAMS).write_text("[" * 50_000, encoding="utf-8")
    arguments = [command, f"comp4901y/{HW3}"] if command == "show" else [command]
    assert refused(project, *arguments) == f"{PARAMS}: line 1, column 101: must have at most 100 levels (got more)"


def _without_key(project: Project) -> None:
    project.replace(PARAMS, "  seq_len: 4096\n", "")


def _without_entry(project: Project) -> None:
    text = project.path(PARAMS).read_text(encoding="utf-8")
    shorter = re.sub(rf"(?ms)^{TREE}:\n(?:^[ #].*?\n|^\n)+", "", text)
    assert shorter != text
    project.path(PARAMS).write_text(shorter, encoding="utf-8")


def _with_entry(project: Project) -> None:
    project.path(PARAMS).write_text(project.path(PARAMS).read_text(encoding="utf-8") + "hw5_q1_none: {}\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("breaks", "message"),
    [
        (_without_key, f"{HW3}: seq_len: is required, but missing"),
        (_without_entry, f"{TREE}: the entry is missing, generators/courses/comp4901y/{TREE} needs it"),
        (_with_entry, "hw5_q1_none: no package generators/courses/comp4901y/hw5_q1_none answers this entry"),
        (lambda project: project.path(PARAMS).write_text(f"{HW3}: 5\n{TREE}: 5\n"),
         f"{HW3}: must be a mapping of fields (got 5)"),
        (lambda project: project.path(PARAMS).unlink(), "cannot be read (FileNotFoundError)"),
    ],
)  # fmt: skip
def test_bad_entries(project: Project, breaks: Callable[[Project], object], message: str) -> None:
    """Missing and superfluous entries are refused with the place."""
    breaks(project)
    assert refused(project, "site") == f"{PARAMS}: {message}"


@pytest.mark.parametrize("name", [f"comp4901y/{HW3}.md.j2", "_pdf.typ.j2"])
def test_a_missing_template(project: Project, name: str) -> None:
    """The file that is missing is named."""
    project.path(f"templates/{name}").unlink()
    assert refused(project, "site") == f"templates/{name}: the template is missing"


def test_a_broken_template(project: Project) -> None:
    """File, line and reason."""
    path = project.path(f"templates/comp4901y/{HW3}.md.j2")
    text = path.read_text(encoding="utf-8") + "{% endblock %}\n"
    path.write_text(text, encoding="utf-8")
    place = f"templates/comp4901y/{HW3}.md.j2: line {len(text.splitlines())}"
    assert refused(project, "site").startswith(f"{place}: Encountered unknown tag 'endblock'")


def test_a_failing_figure(project: Project) -> None:
    """The question whose picture failed is named, with the reason."""
    project.replace(f"{TREES}/draw.py", "    figures = {}", "    assert 1 + 1 == 3, 'no picture\\ntoday'\n    figures = {}")
    line = project.path(f"{TREES}/draw.py").read_text(encoding="utf-8").partition("    assert 1")[0].count("\n") + 1
    assert refused(project, "site") == f"{TREES}/draw.py: line {line}: a figure failed: AssertionError: no picture today"


@pytest.mark.parametrize(
    ("module", "broken", "failed"),
    [
        ("solve.py", "1 // 0\n", "solving failed: ZeroDivisionError: integer division or modulo by zero"),
        ("find.py", "{}['x']\n", "finding failed: KeyError: 'x'"),
    ],
)
def test_code_that_fails(project: Project, module: str, broken: str, failed: str) -> None:
    """File, line and error on one line, from another process too."""
    path = project.path(f"{TREES}/{module}")
    text = path.read_text(encoding="utf-8")
    start = re.search(r"^def (?:solve|find)\(.*:\n(?:    \"\"\".*\"\"\"\n)?", text, re.MULTILINE)
    assert start
    path.write_text(f"{text[: start.end()]}    {broken}{text[start.end() :]}", encoding="utf-8")
    line = text[: start.end()].count("\n") + 1
    assert refused(project, "pdf") == f"{TREES}/{module}: line {line}: {failed}"


def test_code_that_is_no_python(project: Project) -> None:
    """The file and line are those of the mistake."""
    path = project.path(f"{TREES}/solve.py")
    path.write_text("x = (\n", encoding="utf-8")
    assert refused(project, "pdf") == f"{TREES}/solve.py: line 1: reading failed: SyntaxError: '(' was never closed"


def test_a_formula_that_cannot_be_typeset(project: Project) -> None:
    """Neither the PDF nor the page is written with a broken formula in it."""
    project.replace(f"templates/comp4901y/{TREE}.md.j2", "exactly when node $i$", r"exactly when $\nosuchcommand{1}$")
    message = refused(project, "site")
    assert message.startswith(f"templates/comp4901y/{TREE}.md.j2: ")
    assert "nosuchcommand" in message


@pytest.mark.parametrize("command", ["site", "verify"])
def test_a_failing_check(project: Project, command: str) -> None:
    """The check, the published and the found value are named, and the status is 1."""
    project.replace("generators/topics/prefix_tree.py", "int(i in above[j])", "int(i in above[j] or j == i + 1)")
    message = refused(project, *([command] if command == "site" else [command, f"comp4901y/{TREE}"]), status=1)
    assert message.startswith(f"comp4901y/{TREE}: 2.1/mask/4/5: published 1, found 0 by all prefixes, compared pair by pair; ")


def test_a_missing_course_file(project: Project) -> None:
    """Its path is named."""
    project.path("generators/courses/comp4901y/course.yml").unlink()
    assert refused(project, "site") == "generators/courses/comp4901y/course.yml: cannot be read (FileNotFoundError)"


def test_a_bad_build_writes_nothing_into_an_empty_folder(tmp_path: Path) -> None:
    """Where nothing was built before, a refused build leaves no half of a site."""
    project = Project.unbuilt(tmp_path)
    project.parameters(TREE, candidates=[])
    done = project.run("site")
    assert done.returncode == 2
    assert not project.path("site").exists()
    assert not project.path("build/pdf").exists()
    assert not project.path("build/units").exists()


def test_a_place_that_cannot_be_written(project: Project) -> None:
    """A folder where a file belongs is named in one line."""
    place = project.path("build/pdf/comp4901y/hw4/question2.pdf")
    content = place.read_bytes()
    place.unlink()
    place.mkdir()
    done = project.run("pdf", "comp4901y/hw4_q2")
    place.rmdir()
    place.write_bytes(content)
    assert done.returncode == 2
    errors = [line for line in done.stderr.splitlines() if not PROGRESS.fullmatch(line)]
    assert errors == ["error: build/pdf/comp4901y/hw4/question2.pdf: cannot be written (Is a directory)"]
    assert not list(place.parent.glob(".*.part"))


def test_a_site_that_is_a_link(project: Project, tmp_path: Path) -> None:
    """Renaming would take the link's place."""
    site = project.path("site")
    site.replace(tmp_path / "site")
    site.symlink_to(tmp_path / "site")
    done = project.run("site")
    site.unlink()
    (tmp_path / "site").replace(site)
    assert (done.returncode, done.stderr) == (
        2,
        "error: site: must be a folder, which a build replaces as a whole (got a link)\n",
    )
