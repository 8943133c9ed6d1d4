"""What holds for every question whose answer has addresses: one test finds them all."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from filelock import FileLock

from generators.answer import Answer, Figure, Part
from generators.cells import Quantity
from generators.pipeline.catalog import GENERATORS, ROOT, TEMPLATES, QuestionId
from generators.pipeline.render import context_of, environment
from generators.pipeline.unit import Task
from generators.table import Table
from tests.addressed import addressed, closure, package, vocabulary
from tests.conftest import of_all_processes, worked_out
from tests.entries import ENTRIES
from tests.template_rules import problems

IDS = [str(one) for one in addressed()]


@pytest.fixture(scope="module")
def reports(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What running every `find` whose tests were chosen says, each as the first call of a fresh process; run once for all."""
    calls = [item.callspec for item in request.session.items if isinstance(item, pytest.Function) and hasattr(item, "callspec")]
    chosen = sorted({str(call.params["prefix"]) for call in calls if call.params.get("prefix") in IDS})
    place = of_all_processes(tmp_path_factory) / "reports.json"
    with FileLock(f"{place}.lock"):
        if not place.exists():
            command = [sys.executable, "-m", "tests.addressed", *chosen]
            place.write_bytes(subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout)
    found: dict[str, Any] = json.loads(place.read_bytes())
    return found


@pytest.mark.parametrize("prefix", IDS)
def test_every_datum_is_found_again(prefix: str, reports: dict[str, Any]) -> None:
    """Values, texts, headings, units and orders match at the entry's sizes and at others, and so do all formulas."""
    assert reports[prefix]["problems"] == []


@pytest.mark.parametrize("prefix", IDS)
def test_all_other_sizes_fit_the_entry(prefix: str) -> None:
    """A user's entry may leave some out, the project's own leaves out none."""
    task = Task.at(worked_out(prefix)[0], ENTRIES[worked_out(prefix)[0]])
    assert len(task.sizes) == 1 + len(task.question.others)


@pytest.mark.parametrize("prefix", IDS)
def test_finding_runs_no_code_of_the_solver(prefix: str, reports: dict[str, Any]) -> None:
    """As the first call of a process, `find` runs no function of `solve`, of a topic or of parameters."""
    assert reports[prefix]["called"] == []


@pytest.mark.parametrize("prefix", IDS)
def test_changing_any_datum_or_formula_is_noticed(prefix: str, reports: dict[str, Any]) -> None:
    """No tolerance is so wide that another value passes."""
    assert reports[prefix]["unnoticed"] == []


@pytest.mark.parametrize("prefix", IDS)
def test_solving_and_finding_share_the_vocabulary_only(prefix: str) -> None:
    """What both import at run time."""
    question_id = worked_out(prefix)[0]
    both = closure(package(question_id) / "solve.py") & closure(package(question_id) / "find.py")
    assert sorted(str(path) for path in both - vocabulary(question_id)) == []


VALIDATORS = {"field_validator", "model_validator"}


@pytest.mark.parametrize("path", sorted(GENERATORS.glob("courses/*/*/params.py")), ids=lambda path: path.parent.name)
def test_parameters_are_data(path: Any) -> None:
    """Models have fields and validators; they import no topic, so nothing in them is run by both routes."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for model in (node for node in tree.body if isinstance(node, ast.ClassDef)):
        for method in (node for node in ast.walk(model) if isinstance(node, ast.FunctionDef)):
            decorators = {getattr(one.func if isinstance(one, ast.Call) else one, "id", "") for one in method.decorator_list}
            nested = method not in model.body
            assert nested or decorators & VALIDATORS, f"{model.name}.{method.name} is no validator"
    allowed = {GENERATORS / f"{name}.py" for name in ("params", "glyphs", "recording", "errors")}
    assert closure(path) - {path} <= allowed


@pytest.mark.parametrize("prefix", IDS)
def test_a_template_computes_and_chooses_nothing(prefix: str) -> None:
    """All that a reader sees is data of the answer, or words."""
    assert problems((TEMPLATES / worked_out(prefix)[0].template).read_text(encoding="utf-8")) == []


class Noting(dict[str, Any]):
    """Items of a part that note their address when a template or a picture takes them."""

    def __init__(self, label: str, items: Any, seen: set[str]) -> None:
        super().__init__(items)
        self.label, self.seen = label, seen

    def __getitem__(self, key: str) -> Any:
        item = super().__getitem__(key)
        self.seen |= set(noted(item))
        return item


def noted(item: Any) -> Iterator[str]:
    """An item's address, and those of its formula's letters."""
    yield item.address
    if isinstance(item, Quantity):
        for letter in item.letters.values():
            yield from noted(letter)


def noting(prefix: str) -> tuple[Answer, set[str]]:
    """A question's answer, and the addresses that were taken from it so far."""
    seen: set[str] = set()
    parts = {label: Part(label=label, title=one.title, items=Noting(label, one.items, seen), letters=one.letters)
             for label, one in worked_out(prefix)[2].parts.items()}  # fmt: skip
    return Answer(parts), seen


@cache
def drawn_from(prefix: str) -> tuple[dict[str, Figure], frozenset[str]]:
    """A question's pictures, and all that drawing them took from the answer."""
    answer, seen = noting(prefix)
    figures = addressed()[worked_out(prefix)[0]].draw(answer)
    return dict(figures), frozenset(seen)


@cache
def shown(prefix: str, *, pictures: bool = True) -> dict[str, frozenset[str]]:
    """What each block of a template shows, itself or by its pictures."""
    question_id, params, _ = worked_out(prefix)
    answer, seen = noting(prefix)
    figures = drawn_from(prefix)[0]
    names = context_of(question_id, params, answer, figures, "site")
    drawn = names["figure"]

    def figure(name: str) -> Any:
        seen.update(figures[name].shows if pictures else ())
        return drawn(name)

    template = environment().get_template(question_id.template)
    context = template.new_context({**names, "figure": figure})
    "".join(template.root_render_func(context))
    found = {}
    for name, stack in context.blocks.items():
        seen.clear()
        "".join(stack[0](context))
        found[name] = frozenset(seen)
    return found


def block_of(label: str, kind: str) -> str:
    """The block of a part: answer_1_2."""
    return f"{kind}_{label.replace('.', '_')}"


@pytest.mark.parametrize("prefix", IDS)
def test_a_picture_shows_what_it_says(prefix: str) -> None:
    """What a picture names as shown was taken from the answer when it was drawn."""
    figures, taken = drawn_from(prefix)
    cells = {address for one in figures.values() for address in one.shows if address.count("/") == 3}
    tables = {"/".join(address.split("/")[:2]) for address in cells}
    assert {address for one in figures.values() for address in one.shows} - cells | tables <= taken
    assert all(one.shows for one in figures.values())


@pytest.mark.parametrize("prefix", IDS)
def test_everything_published_is_shown(prefix: str) -> None:
    """Nothing is computed for nobody: each item stands in some block or picture."""
    answer = worked_out(prefix)[2]
    everywhere = set().union(*shown(prefix).values())
    items = {item.address for part in answer.parts.values() for item in part.items.values()}
    letters = {letter.address for part in answer.parts.values() for item in part.items.values() if isinstance(item, Table)
               for cells in item for cell in cells.values() for letter in cell.letters.values()}  # fmt: skip
    assert sorted(items - everywhere - letters) == []


@pytest.mark.parametrize("prefix", IDS)
def test_what_is_asked_stands_in_its_box(prefix: str) -> None:
    """An item with the mark is shown in the answer block of its part, and each numbered part has one."""
    answer, blocks = worked_out(prefix)[2], shown(prefix)
    for label, part in answer.parts.items():
        asked = {item.address for item in part.items.values() if getattr(item, "asked", False)}
        assert not part.numbered or asked, f"{label} asks for nothing"
        assert not asked or part.numbered
        assert asked <= blocks.get(block_of(label, "answer"), frozenset())


@pytest.mark.parametrize("prefix", IDS)
def test_a_part_shows_its_own_data(prefix: str) -> None:
    """Box and working of 1.2 show what stands in part 1.2 or in no numbered part."""
    answer, blocks = worked_out(prefix)[2], shown(prefix)
    numbered = [label for label, part in answer.parts.items() if part.numbered]
    for label in numbered:
        for kind in ("answer", "working"):
            others = [one for one in blocks[block_of(label, kind)] if one.split("/")[0] in set(numbered) - {label}]
            assert others == []


@pytest.mark.parametrize("prefix", IDS)
def test_drawn_arrays_are_those_that_only_pictures_show(prefix: str) -> None:
    """A table has the mark if no template shows it, and has no mark if one does."""
    items = [item for part in worked_out(prefix)[2].parts.values() for item in part.items.values()]
    tables = {item.address: item.drawn for item in items if isinstance(item, Table)}
    written = frozenset().union(*shown(prefix, pictures=False).values())
    assert {address for address, drawn in tables.items() if drawn} == tables.keys() - written


def test_question_ids_are_folders() -> None:
    """A package bears the name of its question."""
    assert all(isinstance(one, QuestionId) and (package(one) / "__init__.py").is_file() for one in addressed())
