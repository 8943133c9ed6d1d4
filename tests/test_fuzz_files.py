"""Parameter files of random and of changed text: each is read, or refused in one line that names a file."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generators.errors import MeasureError, ParameterError
from generators.measuring.measurements import plan
from generators.pipeline import catalog, course
from generators.pipeline.pdf import student
from tests.soak import fuzz, soak

COURSE = "comp4901y"
STUDENT = (
    'name: Ada Lovelace\nstudent_id: "20123456"\nsignature: A. Lovelace    # for the agreement\nagreement:\n  - I acknowledge\n'
)
VALUES = (
    "010", "1:30", "yes", "2024-13-45", "0x1f", "1_000", ".inf", ".nan", "1e-999", "0", "-1", "1/0", "1e9", "0.5", str(2**40),
    "null", "~", "true", "''", "é", "x", "x" * 300, "[]", "{}", "[[1]]", "{a: 1}", '"\\ud800"', '"\\0"', "9" * 50, "9" * 5000,
)  # fmt: skip
"""What may stand where a value does; not all of it is plain, and little of it is what the field asks for."""
PIECES = (
    "[", "]", "{", "}", ",", "#", "'", '"', "\\", "@", "`", "=", "*a", "&a ", "!!int ", "!x ", "<<: ", "? ", ": ", "- ", "|\n",
    ">-\n", "---\n", "...\n", "%TAG ! b\n", "\n  ", "k: v\n", '"a\\nb": 1', "[" * 200, "{a: " * 99, "[1, " * 200,
    "\t", "\r", "\0", "\u2028", "\ufeff", "\u200c", "",
)  # fmt: skip
"""What means something to YAML."""


def read_params() -> None:
    """Validate every entry of the course."""
    for one, entry in catalog.entries().items():
        catalog.load_params(one, catalog.load_question(one), entry, recorded=False)


def read_course() -> None:
    catalog.entries()
    course.load_course.cache_clear()
    course.load_course(COURSE)


def read_measurements() -> None:
    for what in plan.NAMES:
        for kind in ("cpu", "cuda"):
            plan.parameters_of(what, kind, small=True)


READERS: dict[str, Callable[[], object]] = {
    f"generators/courses/{COURSE}/params.yml": read_params,
    f"generators/courses/{COURSE}/course.yml": read_course,
    f"generators/courses/{COURSE}/measurements.yml": read_measurements,
    "student.yml": student.student,
}
"""What reads each file for the command line."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project of one course, in which the readers look for their files."""
    root = tmp_path_factory.mktemp("project")
    courses = root / "generators" / "courses"
    shutil.copytree(catalog.COURSES / COURSE, courses / COURSE, ignore=shutil.ignore_patterns("recordings", "__pycache__"))
    (root / "student.yml").write_text(STUDENT, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        for module in (catalog, course):
            patch.setattr(module, "COURSES", courses)
        patch.setattr(catalog, "ROOT", root)
        patch.setattr(plan, "COURSE", courses / COURSE)
        patch.setattr(plan, "MEASUREMENTS", courses / COURSE / "measurements.yml")
        patch.setattr(student, "STUDENT", root / "student.yml")
        yield root
    catalog.document_names.cache_clear()
    course.load_course.cache_clear()


@st.composite
def changed(draw: st.DrawFn, text: str) -> bytes:
    """The text after one to three changes of a value, or of any stretch from where one begins; now and then of a byte."""
    for _ in range(draw(st.sampled_from((1, 1, 2, 3)))):
        values = [found.span() for found in re.finditer(r"(?<=[:,\[{-] )[^\n,\]}#]*|\n *", text)] or [(0, 0)]
        start, end = draw(st.sampled_from(values))
        if draw(st.integers(0, 4)) == 4:
            end = start + draw(st.integers(0, 12) | st.integers(0, len(text)))
        source, rest = draw(st.sampled_from(values)), text[end:]
        copies = st.just(text[slice(*source)]) | st.just(text[source[0] : source[0] + end - start])
        new = draw(st.sampled_from(VALUES) | st.sampled_from(PIECES) | copies)
        text = text[:start] + new + rest
    data = bytearray(text.encode())
    if draw(st.integers(0, 19)) == 19:
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data)


def written() -> st.SearchStrategy[bytes]:
    """Text of YAML's own pieces, or any bytes."""
    return st.lists(st.sampled_from((*PIECES, *VALUES)), max_size=30).map("".join).map(str.encode) | st.binary(max_size=100)


@soak
@pytest.mark.parametrize("name", READERS)
def test_any_file_is_read_or_refused_in_one_line(folder: Path, name: str) -> None:
    """Whatever it holds, nothing else is raised."""
    path = folder / name
    content = path.read_bytes()
    READERS[name]()  # what the changes begin with is read

    @fuzz
    @given(st.one_of(*[changed(content.decode())] * 5, written()))
    def tried(data: bytes) -> None:
        path.write_bytes(data)
        catalog.document_names.cache_clear()
        try:
            READERS[name]()
        except (ParameterError, MeasureError) as error:
            message = str(error)
            assert path.name in message
            assert len(message.splitlines()) == 1
            assert len(message) < 700
            assert message.isprintable()

    try:
        tried()
    finally:
        path.write_bytes(content)
