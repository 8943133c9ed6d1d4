"""Finds the courses, their questions and their parameters; imports a question only when asked."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from generators.errors import ParameterError, UnknownQuestion
from generators.pipeline.plain_yaml import MOST_BYTES, NotPlain, loaded
from generators.pipeline.wording import counted, shortened

if TYPE_CHECKING:
    from pydantic import BaseModel

    from generators.params import Params
    from generators.question import Question

ROOT = Path(__file__).resolve().parents[2]
GENERATORS = ROOT / "generators"
COURSES = GENERATORS / "courses"
TEMPLATES = ROOT / "templates"

_NUMBERED = re.compile(r"q(?P<number>\d+)_\w+")

M = TypeVar("M", bound="BaseModel")


@dataclass(frozen=True, order=True)
class QuestionId:
    """The one name of a question, as `course/slug`."""

    course: str
    slug: str

    def __str__(self) -> str:
        return f"{self.course}/{self.slug}"

    @property
    def module(self) -> str:
        """The dotted name of the module that answers it."""
        return f"generators.courses.{self.course}.{self.slug}"

    @property
    def template(self) -> str:
        """The template's path below `templates/`."""
        return f"{self.course}/{self.slug}.md.j2"

    @property
    def document(self) -> str:
        """The document of `course.yml` that begins the slug: `hw3` of `hw3_q1_arithmetic_intensity`."""
        return document_of(self.course, self.slug) or ""

    @property
    def number(self) -> int | None:
        """The question's number on its sheet; a lecture's topic has none."""
        numbered = _NUMBERED.fullmatch(self._rest)
        return int(numbered["number"]) if numbered else None

    @property
    def page(self) -> str:
        """The page's name in its document: `question1`, or a topic."""
        return self._rest if self.number is None else f"question{self.number}"

    @property
    def path(self) -> str:
        """Where page and PDF stand, without a suffix: `comp4901y/hw3/question1`."""
        return f"{self.course}/{self.document}/{self.page}"

    @property
    def _rest(self) -> str:
        return self.slug.removeprefix(f"{self.document}_")


@cache
def document_names(course: str) -> tuple[str, ...]:
    """The documents that a course's `course.yml` declares, the longest name first."""
    path = COURSES / course / "course.yml"
    declared = read_mapping(path).get("documents")
    if not isinstance(declared, dict) or not declared:
        raise ParameterError(f"{shown(path)}: documents: must map each document to its title and source (got {_short(declared)})")
    return tuple(sorted(declared, key=lambda name: (-len(name), name)))


def document_of(course: str, slug: str) -> str | None:
    """The declared document whose name begins a slug, `{document}_q{number}_{noun}` or `{document}_{noun}`."""
    return next((name for name in document_names(course) if re.fullmatch(rf"{re.escape(name)}_\w+", slug)), None)


def courses() -> tuple[str, ...]:
    """The folders of `generators/courses/` that have a `params.yml`, or a question that needs one, in alphabetical order."""
    names = {path.name for path in COURSES.iterdir() if path.is_dir() and not path.name.startswith("_")}
    return tuple(sorted(name for name in names if (COURSES / name / "params.yml").is_file() or modules(name)))


def modules(course: str) -> tuple[str, ...]:
    """The slugs of a course's questions, in alphabetical order."""
    folder = COURSES / course
    return tuple(sorted(path.parent.name for path in folder.glob("*/__init__.py")))


def entries() -> dict[QuestionId, Mapping[str, Any]]:
    """Every question with its raw entry in `params.yml`, in order; refuses entries and modules without the other."""
    found: dict[QuestionId, Mapping[str, Any]] = {}
    for course in courses():
        path = COURSES / course / "params.yml"
        table = read_mapping(path)
        known = modules(course)
        for slug in table:
            if slug not in known:
                name = shortened(slug)
                raise ParameterError(f"{shown(path)}: {name}: no package generators/courses/{course}/{name} answers this entry")
        for slug in known:
            if slug not in table:
                raise ParameterError(f"{shown(path)}: {slug}: the entry is missing, generators/courses/{course}/{slug} needs it")
            if document_of(course, slug) is None:
                declared = ", ".join(sorted(document_names(course)))
                raise ParameterError(
                    f"{shown(path)}: {slug}: course.yml declares no document that begins this name (it declares {declared})"
                )
        for slug in sorted(table, key=partial(_place, course)):
            if not isinstance(table[slug], dict):
                raise ParameterError(f"{shown(path)}: {slug}: must be a mapping of fields (got {_short(table[slug])})")
            found[QuestionId(course, slug)] = table[slug]
    return found


def _place(course: str, slug: str) -> tuple[str, int]:
    """What a slug sorts by: its document, then its number; topics stay as `params.yml` has them."""
    question_id = QuestionId(course, slug)
    return question_id.document, question_id.number or 0


def read_mapping(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds one mapping of plain data; other content raises ParameterError."""
    try:
        with path.open("rb") as file:
            content = loaded(file.read(MOST_BYTES + 1))
    except OSError as error:
        raise ParameterError(f"{shown(path)}: cannot be read ({type(error).__name__})") from error
    except NotPlain as error:
        raise ParameterError(f"{shown(path)}: {error}") from error
    if content is None:
        raise ParameterError(f"{shown(path)}: the file is empty, it must map entries to fields")
    if not isinstance(content, dict):
        raise ParameterError(f"{shown(path)}: must map entries to fields (got a {type(content).__name__})")
    return content


def shown(path: Path) -> str:
    """A path as messages name it: relative to the project's folder."""
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else str(path)


def find(prefix: str, ids: Iterable[QuestionId] | None = None) -> QuestionId:
    """Return the question whose id starts with `prefix`; none or several raise UnknownQuestion."""
    matches = find_all(prefix, ids)
    if len(matches) > 1:
        raise UnknownQuestion(f"{prefix}: names {len(matches)} questions: {', '.join(map(str, matches))}")
    return matches[0]


def find_all(prefix: str, ids: Iterable[QuestionId] | None = None) -> list[QuestionId]:
    """Return every question whose id starts with `prefix`, or the one that it names; none raises UnknownQuestion."""
    known = list(entries() if ids is None else ids)
    matches = [one for one in known if str(one) == prefix] or [one for one in known if str(one).startswith(prefix)]
    if not matches:
        near = _near(prefix, known)
        hint = f"did you mean {' or '.join(near)}?" if near else f"`python -m generators list` shows all {len(known)}"
        raise UnknownQuestion(f"{prefix}: names no question; {hint}")
    return matches


def _near(prefix: str, known: Iterable[QuestionId]) -> list[str]:
    """Up to three ids that hold the text, or else that it may be a misspelling of, with or without course and noun."""
    names = {name: str(one) for one in known for name in (one.slug, str(one), f"{one.document}_q{one.number}")}
    held = [one for one in dict.fromkeys(names.values()) if prefix and prefix in one]
    return (held or list(dict.fromkeys(names[name] for name in get_close_matches(prefix, names, n=3))))[:3]


def load_question(question_id: QuestionId) -> Question[Any]:
    """Import the question's module and return its QUESTION."""
    question: Question[Any] = importlib.import_module(question_id.module).QUESTION
    return question


def load_params(question_id: QuestionId, question: Question[Any], entry: Mapping[str, Any], *, recorded: bool = True) -> Params:
    """Validate a raw entry and put the question's recordings beside it; the first broken rule raises ParameterError."""
    where = f"generators/courses/{question_id.course}/params.yml: {question_id.slug}"
    params: Any = validated(question.params, entry, where)
    if recorded and question.recordings:
        from generators.pipeline.recorded import fitting

        params._measured = fitting(recordings_folder(question_id), question.recordings, params.model_dump(exclude_none=True))
    checked: Params = params
    return checked


def recordings_folder(question_id: QuestionId) -> Path:
    """Where the measurements of a course lie."""
    return COURSES / question_id.course / "recordings"


def validated(model: type[M], content: Mapping[str, Any], where: str) -> M:
    """Validate `content` as `model`; the first broken rule raises ParameterError with `where`, field, rule and value."""
    from pydantic import ValidationError

    try:
        return model.model_validate(content)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        first = min(problems, key=lambda one: one["type"] != "extra_forbidden")  # a misspelt key says why another is missing
        field = shortened(".".join(map(str, first["loc"])), 120)
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise ParameterError(f"{where}: {field + ': ' if field else ''}{_rule(first, problems)}{more}") from None


def _rule(problem: Any, problems: Sequence[Any]) -> str:
    kind, given = problem["type"], problem["input"]
    if kind == "missing":
        return "is required, but missing"
    if kind == "extra_forbidden":
        return f"is not a known key{_meant(problem, problems)} (got {_short(given)})"
    message = problem["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    if kind in ("dict_type", "model_type"):
        message = "must be a mapping"
    if kind.endswith(("too_long", "too_short")):
        bound, limit = ("most", "max_length") if kind.endswith("long") else ("least", "min_length")
        noun = "character" if isinstance(given, str) else "item"
        message = f"must have at {bound} {counted(problem['ctx'][limit], noun)}"
    rule, _, value = (message[:1].lower() + message[1:]).partition(" (got ")
    return f"{shortened(rule, 300)} (got {shortened(value.removesuffix(')')) if value else _short(given)})"


def _meant(unknown: Any, problems: Sequence[Any]) -> str:
    """The key beside it that is missing and has nearly its name."""
    *parent, key = unknown["loc"]
    missing = [one["loc"][-1] for one in problems if one["type"] == "missing" and list(one["loc"][:-1]) == parent]
    close = get_close_matches(str(key), missing, 1)
    return f", and {close[0]} is missing" if close else ""


def _short(value: Any) -> str:
    return "nothing" if value is None else shortened(repr(value))
