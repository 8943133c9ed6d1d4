"""Which code may import and do what, read from the source; and what a build with nothing to do imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from generators.pipeline.catalog import COURSES, GENERATORS, courses, modules
from tests.project import Project

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
    found = [path for folder in folders for path in sorted((GENERATORS / folder).glob("*.py"))]
    assert found
    return found


def questions() -> list[Path]:
    return [COURSES / course / f"{slug}.py" for course in courses() for slug in modules(course)]


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


def answering() -> list[Path]:
    """What makes answers and pages: all but the oracles and what runs and measures models."""
    models = {"oracles", "decoding", "training", "measurements"}
    programs = {"machine", "timing", "hw3_generate", "hw4_speculative"}
    return [path for path in sorted(GENERATORS.rglob("*.py")) if path.parent.name not in models and path.stem not in programs]


@pytest.mark.parametrize("path", answering(), ids=lambda path: path.stem)
def test_only_oracles_import_torch(path: Path) -> None:
    """Besides what runs and measures models, torch is imported nowhere else, not even inside functions."""
    assert not packages(imported(path)) & SLOW


@pytest.mark.parametrize("path", questions(), ids=lambda path: path.stem)
def test_a_question_imports_oracles_only_to_verify(path: Path) -> None:
    """Importing a question imports neither an oracle nor a figure."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    top = {name for node in tree.body for name in _names(node)}
    assert not below(top, "generators.oracles")
    assert not below(top, "generators.figures")
    for function in (node for node in tree.body if isinstance(node, ast.FunctionDef)):
        if below({name for node in ast.walk(function) for name in _names(node)}, "generators.oracles"):
            assert function.name == "verify"


@pytest.mark.parametrize("path", [*sources("topics"), *questions()], ids=lambda path: path.stem)
def test_a_unit_has_no_files_clock_or_chance(path: Path) -> None:
    """Parameters in, answer out; random numbers come from a generator with a seed of its own."""
    assert not packages(imported(path)) & WORLD
    assert not calls(path) & READS_AND_WRITES
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    assert not {ast.unparse(node.func) for node in nodes if isinstance(node, ast.Call)} & UNSEEDED


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
