"""What holds for every question: one test finds them all."""

import re

import pytest

from generators.errors import ParameterError
from generators.pipeline.catalog import ROOT, TEMPLATES, QuestionId, load_params, load_question
from generators.pipeline.course import load_course
from tests.conftest import IDS, worked_out
from tests.entries import ENTRIES, id_of
from tests.project import Project


@pytest.mark.parametrize("prefix", IDS)
def test_a_question_stands_in_four_places(prefix: str) -> None:
    """Package, template, parameters and test carry one slug."""
    question_id = worked_out(prefix)[0]
    assert (ROOT / "generators" / "courses" / str(question_id) / "__init__.py").is_file()
    assert (TEMPLATES / question_id.template).is_file()
    assert (ROOT / "tests" / question_id.course / f"test_{question_id.slug}.py").is_file()


def linked(question_id: QuestionId) -> set[str]:
    """The pages that a question's template links to."""
    return set(re.findall(r'\bsee\("([^"]+)"', (TEMPLATES / question_id.template).read_text(encoding="utf-8")))


def is_lecture(question_id: QuestionId) -> bool:
    """Whether a page is about a lecture or seminar, not about homework."""
    return load_course(question_id.course).document(question_id.document).kind in {"lecture", "seminar"}


@pytest.mark.parametrize("question_id", [one for one in ENTRIES if is_lecture(one)], ids=str)
def test_homework_and_lectures_link_to_each_other(question_id: QuestionId) -> None:
    """A lecture's page links to a homework question that uses the method, and one links to it."""
    homework = [one for one in ENTRIES if not is_lecture(one)]
    assert linked(question_id) & set(map(str, homework))
    assert any(str(question_id) in linked(one) for one in homework)


@pytest.mark.parametrize("question_id", ENTRIES, ids=str)
def test_conventions_hold_no_links(question_id: QuestionId) -> None:
    """Links to other pages stand where a method is used, not among conventions and errata."""
    text = (TEMPLATES / question_id.template).read_text(encoding="utf-8")
    for name in ("conventions", "errata"):
        _, _, after = text.partition(f"{{% block {name} %}}")
        assert "see(" not in after.partition("{% endblock %}")[0]


@pytest.mark.parametrize("question_id", IDS)
def test_every_figure_is_shown_and_described(built: Project, question_id: str) -> None:
    """On the site and in print."""
    made = built.made(question_id)
    for name, figure in made["draw"].items():
        picture = f"]({id_of(question_id).page}-{name}.svg "
        assert picture in made["render"]["site"]
        assert picture in made["render"]["pdf"] or not is_lecture(id_of(question_id))
        assert min(len(figure["alt"]), len(figure["caption"])) > 20


@pytest.mark.parametrize("prefix", IDS)
def test_every_key_is_known_and_typed(prefix: str) -> None:
    """An unknown key, and each field given something that is no parameter, is refused in one line."""
    question_id = worked_out(prefix)[0]
    question = load_question(question_id)
    entry = ENTRIES[question_id]
    bad = [{**entry, "no_such_key": 1}, *({**entry, field: object()} for field in entry)]
    for one in bad:
        with pytest.raises(ParameterError) as refusal:
            load_params(question_id, question, one)
        message = str(refusal.value)
        assert message.startswith(f"generators/courses/{question_id.course}/params.yml: {question_id.slug}: ")
        assert "(got " in message
        assert "\n" not in message


@pytest.mark.parametrize("prefix", IDS)
def test_every_other_question_that_is_named_exists(prefix: str) -> None:
    """A misspelt id would be shown without a link."""
    assert linked(worked_out(prefix)[0]) <= set(IDS)
