"""Runs each `find` as the first call of a fresh process, traced, and says what a changed datum or formula leaves unnoticed.

`python -m tests.addressed` prints a report by question as JSON: what the tests of addressed answers look at.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from fractions import Fraction
from pathlib import Path
from types import FrameType
from typing import Any

import sympy

from generators.cells import Math
from generators.pipeline import reads
from generators.pipeline.catalog import GENERATORS, ROOT, QuestionId, entries, load_question
from generators.pipeline.match import Findings, agree, at, letters_of_one_value
from generators.pipeline.published import published, with_formulas
from generators.pipeline.unit import Task, mismatches
from generators.question import Question

VOCABULARY = {"cells", "found", "params", "question", "recording", "errors", "glyphs", "traced", "traced_formulas"}
"""What both routes may import."""
LOOKUPS = {"find", "one", "measured"}
"""What `find` may call of recordings and parameters."""


def addressed() -> dict[QuestionId, Question[Any]]:
    """Every question."""
    return {question_id: load_question(question_id) for question_id in entries()}


def package(question_id: QuestionId) -> Path:
    """The folder of a question."""
    return GENERATORS / "courses" / question_id.course / question_id.slug


def closure(path: Path) -> set[Path]:
    """A file and all of the project that it imports."""
    return reads.closure([".".join(path.relative_to(ROOT).with_suffix("").parts)])


def vocabulary(question_id: QuestionId) -> set[Path]:
    """What `solve` and `find` of a question may share."""
    return {GENERATORS / f"{name}.py" for name in VOCABULARY} | {package(question_id) / "params.py"}


def forbidden(question_id: QuestionId) -> set[str]:
    """Files whose functions `find` must not run."""
    params = set(GENERATORS.rglob("params.py")) | {GENERATORS / "recording.py"}
    topics = set((GENERATORS / "topics").glob("*.py"))
    solving = closure(package(question_id) / "solve.py") - vocabulary(question_id)
    return {str(path) for path in params | topics | solving}


def allowed(path: str) -> set[str]:
    """Names of code that may run in a watched file: what importing it runs, and looking up recordings."""
    lookups = LOOKUPS if Path(path) in {GENERATORS / "recording.py", GENERATORS / "params.py"} else set()
    return {"<module>", "<genexpr>"} | lookups


def traced(task: Task) -> tuple[list[Findings], list[str]]:
    """What `find` yields, and the functions of the solver's side that ran meanwhile."""
    watched, called = forbidden(task.question_id), set()

    def notice(frame: FrameType, event: str, _: Any) -> None:
        """Called once a call, as it returns nothing that would follow the lines."""
        code = frame.f_code
        if code.co_filename in watched and code.co_name not in allowed(code.co_filename):
            called.add(f"{Path(code.co_filename).relative_to(ROOT)}: {code.co_name}")

    sys.settrace(notice)
    try:
        found = task.found()
    finally:
        sys.settrace(None)
    return found, sorted(called)


def changed(value: Any) -> Any:
    """Another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | Fraction):
        return value + 1
    if isinstance(value, float):
        return value * 1.001 + 1e-6
    if isinstance(value, str):
        return f"{value} not"
    if isinstance(value, Math):
        return Math(f"{value.latex}'")
    if isinstance(value, tuple):
        return value[::-1] if len(set(value)) > 1 else (*value, "more")
    if value is None:
        return 0
    return 2 * value if isinstance(value, sympy.MatrixExpr) else value + 1


def report(question_id: QuestionId) -> dict[str, list[str]]:
    """Problems, calls of the solver's code, and changes that nothing notices."""
    task = Task.at(question_id, entries()[question_id])
    found, called = traced(task)
    fixed = letters_of_one_value(task.answer, found)
    messages = mismatches(task, found) + [f"{one}: formulas use it, but it has one value everywhere" for one in fixed]
    data = published(task.answer)
    unnoticed = [address for address, value in data.items() if not _noticed(changed(value), found[0], address)]
    for quantity in with_formulas(task.answer):
        assert quantity.formula is not None
        names = {str(symbol): found[0].value(letter.address) for symbol, letter in quantity.letters.items()}
        value = at(2 * quantity.formula + 1, names)
        if not _noticed(value, found[0], quantity.address):
            unnoticed.append(f"{quantity.address}, its formula")
    return {"problems": messages, "called": called, "unnoticed": unnoticed}


def _noticed(value: Any, found: Findings, address: str) -> bool:
    return any(not agree(value, one.value, one.route.tolerance, one.route.absolute) for one in found.at.get(address, []))


def main() -> None:
    """Fork a process a question behind the slow imports, if any needs them, two at a time, and print all reports."""
    gc.disable()  # a process of seconds
    waiting = [one for one in addressed() if not sys.argv[1:] or str(one) in sys.argv[1:]]
    if any("torch" in reads.imported_packages(one) for one in waiting):
        import peft  # noqa: F401
        import torch
        from transformers import GenerationMixin  # noqa: F401

        torch.set_num_threads(1)
        _ = torch.ones(2, 2, device="meta") @ torch.ones(2, 2, device="meta")
    running: dict[int, tuple[QuestionId, int]] = {}
    reports: dict[str, Any] = {}
    while waiting or running:
        while waiting and len(running) < (os.cpu_count() or 1):
            question_id = waiting.pop()
            reader, writer = os.pipe()
            child = os.fork()
            if child == 0:
                os.close(reader)
                with os.fdopen(writer, "w") as out:
                    json.dump(report(question_id), out)
                os._exit(0)
            os.close(writer)
            running[child] = question_id, reader
        child, (question_id, reader) = next(iter(running.items()))
        with os.fdopen(reader) as answer:
            text = answer.read()
        os.waitpid(child, 0)
        del running[child]
        reports[str(question_id)] = json.loads(text) if text else {"problems": ["find failed"], "called": [], "unnoticed": []}
    json.dump(reports, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
