"""Which files a question reads: its code, found without running it, its template, recordings and versions."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from generators.pipeline.catalog import COURSES, ROOT, TEMPLATES, QuestionId, load_question, modules, recordings_folder
from generators.pipeline.imports import imports
from generators.pipeline.recorded import paths

_LOCK = ROOT / "requirements.lock"
_HERE = Path(__file__).parent
_MATCHING = {_HERE / name for name in ("unit.py", "catalog.py", "recorded.py", "exact_pickle.py")}
"""What runs a match, besides what compares."""
_REFERENCE = re.compile(r"""{%-?\s*(?:extends|include|import|from)\s+["']([^"']+)["']""")
_LINK = re.compile(r"""\bsee\(["']([^"']+)["']""")


@dataclass(frozen=True)
class Files:
    """What each step of a question reads besides its entry and what earlier steps made."""

    solve: list[Path]
    match: list[Path]
    draw: list[Path]
    render: list[Path]
    variants: list[Path]

    def all(self) -> list[Path]:
        """Every file that any step reads."""
        return sorted({*self.solve, *self.match, *self.draw, *self.render, *self.variants})


def files_read(question_id: QuestionId) -> Files:
    """Code, found without running it, template and recordings of a question, and the versions of packages."""
    place = COURSES / question_id.course / question_id.slug
    own, package = {place / "__init__.py"}, question_id.module
    # A page that follows changes holds how its numbers are worked out, which may change while they stay.
    follows = "what_if" in _given(question_id)
    following = {f"{package}.solve", f"{package}.draw", "generators.pipeline.what_if"} if follows else set()
    solving = {
        f"{package}.solve",
        f"{package}.slips",
        "generators.pipeline.export",
        "generators.pipeline.compared",
        "generators.pipeline.readings",
    }
    return Files(
        solve=_files(solving, own | _recordings(question_id)),
        match=_files({f"{package}.find", "generators.pipeline.ledger"}, own | _MATCHING | _recordings(question_id)),
        draw=_files({f"{package}.draw"}, own | {_HERE / name for name in ("unit.py", "variants.py", "published.py")}),
        render=_files({"generators.pipeline.render", f"{package}.params", *following}, _templates(question_id.template)),
        variants=_files(
            {f"{package}.solve", f"{package}.draw", "generators.pipeline.variants", "generators.pipeline.site.markdown"},
            own | _recordings(question_id) | {ROOT / "mkdocs.yml"},
        ),
    )


def _files(modules: set[str], others: set[Path]) -> list[Path]:
    return sorted({*closure(modules), *others, _LOCK})


def links(question_id: QuestionId) -> dict[str, str]:
    """The questions that a template links to, and their places; a link to a question that is none becomes plain text."""
    targets = {target for path in _templates(question_id.template) for target in _LINK.findall(path.read_text(encoding="utf-8"))}
    places = {target: QuestionId(*target.split("/", 1)) for target in sorted(targets)}
    return {target: one.path if one.slug in modules(one.course) else "" for target, one in places.items()}


def _recordings(question_id: QuestionId) -> set[Path]:
    """A recording that does not exist yet counts as read, so that the page follows when it is made.

    The code that chooses among them is read too.
    """
    of_kinds = paths(recordings_folder(question_id), _names(question_id)).values()
    found = {path for of_kind in of_kinds for path in of_kind.values()}
    return found | {_HERE / "recorded.py"} if found else found


def title(question_id: QuestionId) -> str:
    """The title that QUESTION gives."""
    given = _given(question_id).get("title")
    return given.value if isinstance(given, ast.Constant) and isinstance(given.value, str) else load_question(question_id).title


@cache
def _given(question_id: QuestionId) -> dict[str, ast.expr]:
    """What the fields of QUESTION are written as, read without running it, as importing a question takes long."""
    tree = ast.parse((COURSES / question_id.course / question_id.slug / "__init__.py").read_bytes())
    calls = [one.value for one in tree.body if isinstance(one, ast.Assign | ast.AnnAssign) and isinstance(one.value, ast.Call)]
    return {keyword.arg: keyword.value for call in calls for keyword in call.keywords if keyword.arg}


def _names(question_id: QuestionId) -> tuple[str, ...]:
    """The recordings that QUESTION names."""
    given = _given(question_id).get("recordings")
    if given is None:
        return ()
    keys = given.keys if isinstance(given, ast.Dict) else [None]
    names = [key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]
    return tuple(names) if len(names) == len(keys) else tuple(load_question(question_id).recordings)


def imported_packages(question_id: QuestionId) -> set[str]:
    """Top-level packages outside the project that finding a question's values imports, now or later."""
    return {name.split(".")[0] for path in files_read(question_id).match if path.suffix == ".py" for name in imports(path)}


def closure(modules: Iterable[str]) -> set[Path]:
    """Modules of the project, and all of it that they import, now or later; the `__init__` of a folder holds no code."""
    found: set[Path] = set()
    waiting = list(modules)
    while waiting:
        path = _source(waiting.pop())
        if path and path not in found:
            found.add(path)
            waiting += [name for name in imports(path) if name.startswith("generators")]
    return found


@cache
def _source(module: str) -> Path | None:
    path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    return path if path.is_file() else None


def _templates(name: str) -> set[Path]:
    path = TEMPLATES / name
    if not path.is_file():
        return set()
    found = {path}
    for reference in _REFERENCE.findall(path.read_text(encoding="utf-8")):
        found |= _templates(reference)
    return found
