"""Shared by all tests: the questions, worked out once, and copies of the project, built once."""

import gc
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

os.environ |= {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TRANSFORMERS_VERBOSITY": "error"}

import pytest
from filelock import FileLock

from benchmarks.__main__ import keep_questions
from generators.params import Params
from generators.pipeline.catalog import QuestionId, load_params, load_question
from tests.entries import ENTRIES, id_of
from tests.project import HOSTILE, TAME, Project, text_parameters

IDS = [str(question_id) for question_id in ENTRIES]


def pytest_collection_finish() -> None:
    """What is imported stays: looking for cycles in it again and again takes a tenth of the tests' time."""
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


@cache
def worked_out(prefix: str) -> tuple[QuestionId, Params, Any]:
    """A question's id, its parameters in params.yml, and its answer."""
    question_id = id_of(prefix)
    question = load_question(question_id)
    params = load_params(question_id, question, ENTRIES[question_id])
    return question_id, params, question.solve(params)


def once(factory: pytest.TempPathFactory, name: str, build: Callable[[Path], object]) -> Path:
    """A folder that the first process to ask for it fills, and all others wait for."""
    place = of_all_processes(factory) / name
    with FileLock(f"{place}.lock"):
        finished = Path(f"{place}.finished")
        if not finished.exists():
            build(place)
            finished.touch()
    return place


def of_all_processes(factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of a test run share."""
    folder = factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


def _site_built(project: Project) -> Project:
    done = project.run("site")
    assert done.returncode == 0, done.stderr
    return project


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of the project with its site and PDFs; tests that change something take a copy of it."""
    return Project(once(tmp_path_factory, "built", lambda folder: _site_built(Project.unbuilt(folder))))


SMALL = ("comp4901y/hw3_q1", "comp4901y/hw4_q2", "utaustin/lecture25_speculative")
"""Questions of two courses, with a shared topic, recordings and all kinds of steps; they build in seconds."""


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A built copy with three questions: enough for what does not depend on their number."""

    def build(folder: Path) -> Project:
        project = Project.unbuilt(folder)
        keep_questions(folder, SMALL)
        return _site_built(project)

    return Project(once(tmp_path_factory, "small", build))


@pytest.fixture
def project(small: Project, tmp_path: Path) -> Project:
    """A built copy with three questions for one test alone."""
    return small.copy(tmp_path / "project")


@pytest.fixture(scope="session")
def hostile(small: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The same with parameters that mean something to every language they are rendered into."""
    return Project(once(tmp_path_factory, "hostile", lambda folder: _with_texts(small.copy(folder), HOSTILE)))


@pytest.fixture(scope="session")
def tame(small: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The same with as many plain words in the same places."""
    return Project(once(tmp_path_factory, "tame", lambda folder: _with_texts(small.copy(folder), TAME)))


def _with_texts(project: Project, texts: tuple[str, ...]) -> Project:
    text_parameters(project, texts)
    return _site_built(project)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """One Chromium for all tests of a process."""
    from tests.browsing import chromium

    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Folders of a model of 3 layers and a draft of 1 layer with the same tokenizer and random weights."""
    from tests.tiny_models import make_pair

    folder = once(tmp_path_factory, "models", make_pair)
    return folder / "target", folder / "draft"
