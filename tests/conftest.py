"""Shared by all tests: the questions, worked out once, and copies of the project, built once."""

import os
from functools import cache
from pathlib import Path
from typing import Any

os.environ |= {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TRANSFORMERS_VERBOSITY": "error"}

import pytest

from generators.params import Params
from generators.pipeline.catalog import QuestionId, entries, find, load_params, load_question
from tests.project import HOSTILE, TAME, Project, text_parameters

IDS = [str(question_id) for question_id in entries()]


@cache
def worked_out(prefix: str) -> tuple[QuestionId, Params, Any]:
    """A question's id, its parameters in params.yml, and its answer."""
    question_id = find(prefix)
    question = load_question(question_id)
    params = load_params(question_id, question, entries()[question_id])
    return question_id, params, question.solve(params)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of the project with its site and PDFs; tests that change something take a copy of it."""
    project = Project.unbuilt(tmp_path_factory.mktemp("built"))
    done = project.run("site")
    assert done.returncode == 0, done.stderr
    return project


@pytest.fixture(scope="session")
def hostile(built: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The same with parameters that mean something to every language they are rendered into."""
    return _with_texts(built.copy(tmp_path_factory.mktemp("hostile")), HOSTILE)


@pytest.fixture(scope="session")
def tame(built: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The same with as many plain words in the same places."""
    return _with_texts(built.copy(tmp_path_factory.mktemp("tame")), TAME)


def _with_texts(project: Project, texts: tuple[str, ...]) -> Project:
    text_parameters(project, texts)
    done = project.run("site")
    assert done.returncode == 0, done.stderr
    return project


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Folders of a model of 3 layers and a draft of 1 layer with the same tokenizer and random weights."""
    from tests.tiny_models import make_pair

    return make_pair(tmp_path_factory.mktemp("models"))
