"""Which code may import and do what, read from the source; and what a build with nothing to do imports."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from generators.pipeline import unit
from generators.pipeline.catalog import COURSES, GENERATORS, ROOT, QuestionId, courses, find
from generators.pipeline.reads import files_read
from generators.pipeline.unit import Task
from tests.addressed import addressed, closure, package
from tests.entries import ENTRIES
from tests.project import Project

SHARED = ("topics", "oracles", "figures")
SLOW = {"torch", "transformers", "peft"}
FILES = {"io", "os", "pathlib", "shutil", "subprocess", "tempfile", "glob", "socket", "urllib", "requests"}
WORLD = FILES | {"time", "datetime", "secrets", "uuid", "locale"}
UNSEEDED = {
    "random.random",
    "random.gauss",
    "random.shuffle",
    "random.choice",
    "random.seed",
    "np.random.rand",
    "np.random.randn",
}
READS_AND_WRITES = {"open", "read_text", "read_bytes", "write_text", "write_bytes", "mkdir", "unlink", "rename"}


def sources(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in sorted((GENERATORS / folder).glob("*.py")) if path.stem != "__init__"]
    assert found
    return found


def solving() -> list[Path]:
    """What makes answers in the questions' packages: all that their `solve` and `params` import there."""
    return [path for one in addressed() for path in sorted(closure(package(one) / "solve.py")) if path.is_relative_to(COURSES)]


def imported(path: Path, *, at_runtime: bool = False) -> set[str]:
    """Dotted names a file imports anywhere; `at_runtime` leaves out what stands under TYPE_CHECKING."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {name for node in _nodes(tree, at_runtime) for name in _names(node)}


def _nodes(node: ast.AST, at_runtime: bool) -> Iterator[ast.AST]:
    yield node
    for child in ast.iter_child_nodes(node):
        if at_runtime and isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        yield from _nodes(child, at_runtime)


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute, so that they can be read here"
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


def packages(names: set[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


def below(names: set[str], package: str) -> set[str]:
    return {name for name in names if name == package or name.startswith(f"{package}.")}


def calls(path: Path) -> set[str]:
    """The last names of everything a file calls."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    return {ast.unparse(node.func).rpartition(".")[2] for node in nodes}


@pytest.mark.parametrize("path", sources("topics"), ids=lambda path: path.stem)
def test_topics_import_no_oracle_and_nothing_slow(path: Path) -> None:
    """What solves shares no code with what verifies."""
    names = imported(path)
    assert not packages(names) & SLOW
    assert not below(names, "generators.oracles")


@pytest.mark.parametrize("path", sources("oracles"), ids=lambda path: path.stem)
def test_oracles_import_no_topic_and_no_question(path: Path) -> None:
    """What verifies shares no code with what solves; a question's parameters are named for types alone."""
    names = imported(path, at_runtime=True)
    assert not below(imported(path), "generators.topics")
    for course in courses():
        assert not below(names, f"generators.courses.{course}")


def answering() -> set[Path]:
    """What makes answers, pictures and pages."""
    places = [package(one) / name for one in addressed() for name in ("solve.py", "draw.py")]
    own = [closure(place) for place in places if place.is_file()]
    return set().union(*own, GENERATORS.joinpath("pipeline").rglob("*.py"))


def test_only_finding_and_measuring_import_torch() -> None:
    """What solves, draws and renders imports it nowhere, not even inside functions."""
    assert [str(path) for path in sorted(answering()) if packages(imported(path)) & SLOW] == []


@pytest.mark.parametrize("question_id", addressed(), ids=str)
def test_a_find_imports_what_is_slow_inside_its_functions(question_id: QuestionId) -> None:
    """A build that has nothing to match imports a question without torch."""
    top = _at_top(package(question_id) / "find.py")
    assert not packages(top) & SLOW
    for name in below(top, "generators"):
        source = ROOT.joinpath(*name.split(".")[:-1]).with_suffix(".py")
        assert not source.is_file() or not packages(_at_top(source)) & SLOW, f"{question_id}: {name}"


def _at_top(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {name for node in tree.body for name in _names(node)}


@pytest.mark.parametrize("path", [*sources("topics"), *solving()], ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_solver_has_no_files_clock_or_chance(path: Path) -> None:
    """Parameters in, answer out; random numbers come from a generator with a seed of its own."""
    assert not packages(imported(path)) & WORLD
    assert not calls(path) & READS_AND_WRITES
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    assert not {ast.unparse(node.func) for node in nodes if isinstance(node, ast.Call)} & UNSEEDED


def users() -> dict[Path, set[str]]:
    """The questions whose code imports each module of the shared folders, and whether measurements do."""
    found: dict[Path, set[str]] = {path: set() for folder in SHARED for path in sources(folder)}
    folders = {str(question_id): package(question_id) for question_id in addressed()}
    for user, folder in {**folders, "measurements": GENERATORS / "measuring" / "measurements"}.items():
        for path in {one for own in folder.glob("*.py") for one in closure(own)} & found.keys():
            found[path].add(user)
    return found


def test_what_is_shared_serves_two() -> None:
    """A module that one question uses alone stands in its package; measurements, which run without it, are a user too."""
    lonely = {str(path.relative_to(GENERATORS)): sorted(ones) for path, ones in users().items() if len(ones) < 2}
    assert lonely == {}


@pytest.mark.parametrize("path", sources("figures"), ids=lambda path: path.stem)
def test_figures_touch_no_file(path: Path) -> None:
    """A figure is text; what writes it stands elsewhere."""
    assert not packages(imported(path)) & (FILES - {"io"})
    assert not calls(path) & READS_AND_WRITES


def test_a_site_with_nothing_changed_imports_nothing_slow(built: Project) -> None:
    """Neither what computes nor what builds pages is imported."""
    done = built.python(
        "import sys\n"
        "from generators.__main__ import main\n"
        "main(['site'], standalone_mode=False)\n"
        "print(sorted({'torch', 'sympy', 'transformers', 'peft', 'mkdocs', 'matplotlib', 'pydantic'} & set(sys.modules)))"
    )
    assert done.stdout.strip() == "[]"
    assert done.stderr == "site/ is up to date\n"


def test_showing_a_kept_answer_imports_nothing_slow(built: Project) -> None:
    """What was worked out is read, not computed again."""
    done = built.python(
        "import sys\n"
        "from generators.__main__ import main\n"
        "main(['show', 'comp4901y/hw3_q1', '--json'], standalone_mode=False)\n"
        "print(sorted({'torch', 'sympy', 'transformers', 'peft'} & set(sys.modules)), file=sys.stderr)"
    )
    assert done.stderr.strip() == "[]"


NO_CONTENT = {ROOT / "generators/pipeline" / name for name in ("unit.py", "digest.py", "published.py")}
"""What runs steps, and digests what they made: keys hold these digests."""


def test_a_step_reads_the_code_that_it_runs() -> None:
    """A question with slips, other readings and numbers that a reader changes: else a changed module would change no page."""
    question_id = find("comp4901y/hw4_q1")
    files, task = files_read(question_id), Task.at(question_id, ENTRIES[question_id])
    pictures = unit._pictures(task)
    solved = set(files.solve) | NO_CONTENT
    assert run_by(lambda: unit._solved(task)) <= solved
    assert run_by(lambda: unit._pictures(task)) <= solved | set(files.draw)
    sheet = ROOT / "generators/pipeline/course.py"  # whose answer is in the key
    assert run_by(lambda: unit._pages(task, pictures)) <= solved | {*files.draw, *files.render, sheet}


def run_by(work: Callable[[], Any]) -> set[Path]:
    """The files of the project whose functions are called."""
    seen: set[str] = set()
    sys.setprofile(lambda frame, event, argument: seen.add(frame.f_code.co_filename))
    try:
        work()
    finally:
        sys.setprofile(None)
    return {Path(name) for name in seen if name.startswith(str(ROOT / "generators"))}
