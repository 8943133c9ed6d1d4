"""Shared by all tests: the questions, worked out once, and copies of the project, built once."""

import os
from functools import cache

import pytest

os.environ |= {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TRANSFORMERS_VERBOSITY": "error"}

from generators.answer import Answer
from generators.catalog import QuestionId, entries, find, load_params, load_question
from generators.params import Params
from tests.project import Project, hostile_parameters

IDS = [str(question_id) for question_id in entries()]


@cache
def worked_out(prefix: str) -> tuple[QuestionId, Params, Answer]:
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
    project = built.copy(tmp_path_factory.mktemp("hostile"))
    hostile_parameters(project)
    done = project.run("site")
    assert done.returncode == 0, done.stderr
    return project
