"""answers.json: its schema, formulas that SymPy reads, and the script in its documentation."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import sympy
import yaml

from generators.pipeline.catalog import ROOT
from generators.question import overlaid
from tests.project import Project

DOCUMENTATION = ROOT / "docs" / "answers-json.md"


@pytest.fixture(scope="module")
def content(built: Project) -> dict[str, Any]:
    """The file of the built site."""
    read: dict[str, Any] = json.loads(built.path("site/answers.json").read_text(encoding="utf-8"))
    return read


def number(datum: dict[str, Any]) -> sympy.Expr | float:
    """A number as it is written, exact where it is."""
    return datum["measured"] if "measured" in datum else sympy.sympify(datum["exact"])


def at(question: dict[str, Any], address: str) -> Any:
    """The datum at an address."""
    label, *keys = address.split("/")
    part = question["parts"][label]
    if len(keys) == 1:
        return next(one["value"] for one in part["quantities"] if one["address"] == address)
    table = next(one for one in part["tables"] if one["address"] == f"{label}/{keys[0]}")
    return next(row["cells"][keys[2]] for row in table["rows"] if row["key"] == keys[1])


def formulas(question: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, str], Any]]:
    """Address, formula, addresses of its letters and published value, of quantities and of cells."""
    for part in question["parts"].values():
        for one in part["quantities"]:
            if one["formula"] is not None:
                yield one["address"], one["formula"], one["letters"], one["value"]
        for table in part["tables"]:
            symbols = {column["symbol"]: column["key"] for column in table["columns"] if column["symbol"]}
            for column in (one for one in table["columns"] if one["of"]):
                for row in table["rows"]:
                    cell = row["cells"][column["key"]]
                    own = {symbol: f"{table['address']}/{row['key']}/{key}" for symbol, key in symbols.items()}
                    if cell is not None:
                        text = cell["expression"] if "expression" in cell else cell["exact"]
                        address = f"{table['address']}/{row['key']}/{column['of']}"
                        yield address, text, {**table["letters"], **own}, row["cells"][column["of"]]


def test_every_formula_gives_its_value(content: dict[str, Any]) -> None:
    """SymPy parses it with the letters that stand beside it, and finds the published value at theirs."""
    count = 0
    for question in content["questions"]:
        for address, text, letters, value in formulas(question):
            symbols = {name: sympy.Symbol(name, positive=True) for name in letters}
            parsed = sympy.sympify(text, locals=symbols)
            assert parsed.free_symbols <= set(symbols.values()), f"{question['id']} {address}: {text}"
            values = {symbols[name]: number(at(question, place)) for name, place in letters.items()}
            found = parsed.subs(values).doit()
            if "expression" not in value:
                assert abs(sympy.N(found - number(value), 40)) <= 1e-9 * abs(float(number(value))), f"{question['id']} {address}"
            count += 1
    assert count > 100


def test_addresses_stand_once_and_are_ids_of_the_page(content: dict[str, Any], built: Project) -> None:
    """What is asked can be linked to."""
    for question in content["questions"]:
        kinds = ("quantities", "texts", "claims", "derivations", "tables")
        items = [one for part in question["parts"].values() for kind in kinds for one in part[kind]]
        addresses = [one["address"] for one in items]
        assert len(set(addresses)) == len(addresses)
        page = built.path(f"site/{question['page']}").read_text(encoding="utf-8")
        assert built.path(f"site/{question['pdf']}").is_file()
        ids = re.findall(r'\bid="([^"]+)"', page)
        assert len(set(ids)) == len(ids), question["id"]
        for boxed in question["found"]["boxed"]:
            if not boxed["published"].endswith((" cells", " cell", " lines", " line")):
                assert boxed["address"] in ids, f"{question['id']} {boxed['address']}"
                assert f'href="#{boxed["address"]}"' in page


def test_what_is_asked_is_marked(content: dict[str, Any]) -> None:
    """Each part that the sheet numbers has an answer."""
    for question in content["questions"]:
        for label, part in question["parts"].items():
            marked = [one for kind in ("quantities", "tables", "derivations") for one in part[kind] if one["answer"]]
            assert bool(marked) == label[0].isdigit(), f"{question['id']} {label}"


def test_decimals_and_tolerances(content: dict[str, Any]) -> None:
    """4096/3 with twelve digits, and a thousandth of it."""
    (question,) = (one for one in content["questions"] if one["id"] == "comp4901y/hw3_q1_arithmetic_intensity")
    cell = at(question, "1.1/form/1/intensity")
    assert cell == {"exact": "4096/3", "decimal": "1365.33333333", "digits": 12, "tolerance": 1.37}
    assert at(question, "sheet/L") == {"exact": "4096", "decimal": "4096", "digits": 12, "tolerance": 0.0}
    assert Fraction(at(question, "1.1/products/1/flops")["decimal"]) == 2**37


def test_the_script_of_the_documentation_grades(built: Project, tmp_path: Path) -> None:
    """Right, rounded and wrong answers are told apart, and from an address without a number."""
    script = re.findall(r"```python\n(.*?)```", DOCUMENTATION.read_text(encoding="utf-8"), re.DOTALL)[0]
    (tmp_path / "grade.py").write_text(script, encoding="utf-8")
    question = "comp4901y/hw3_q1_arithmetic_intensity"
    rows = [
        "1.1/form/1/intensity,1365.3",
        "1.1/form/1/intensity,682.7",
        "sheet/L,4096",
        "sheet/L,4097",
        "1.1/title,1",
        "sheet/L,",
    ]
    lines = ["question,address,answer", *(f"{question},{row}" for row in rows)]
    (tmp_path / "given.csv").write_text("\n".join(lines), encoding="utf-8")
    command = [sys.executable, "grade.py", str(built.path("site/answers.json")), "given.csv"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert [line.split(" ", 2)[2] for line in done.stdout.splitlines()] == [
        "right", "wrong, 1365.33333333 was expected", "right", "wrong, 4096 was expected",
        "no number stands there",
        "'' is no number",
    ]  # fmt: skip


def test_answers_json_keeps_to_its_schema(built: Project, content: dict[str, Any]) -> None:
    """The schema that the site publishes is itself valid and holds the answers."""
    schema = json.loads(built.path("site/answers.schema.json").read_text(encoding="utf-8"))
    assert schema == json.loads((ROOT / "docs/answers.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(content)


@pytest.mark.parametrize(
    "broken", [{"version": 2, "questions": [{"id": "A"}]}, {"questions": {}}, {}, {"version": 2, "questions": []}]
)  # fmt: skip
def test_the_schema_refuses_what_is_no_answer(built: Project, broken: dict[str, Any]) -> None:
    """It is no schema that takes everything."""
    schema = json.loads(built.path("site/answers.schema.json").read_text(encoding="utf-8"))
    assert not jsonschema.Draft202012Validator(schema).is_valid(broken)


def test_the_schema_refuses_an_answer_that_nothing_found(built: Project, content: dict[str, Any]) -> None:
    """What is published was found again."""
    schema = json.loads(built.path("site/answers.schema.json").read_text(encoding="utf-8"))
    changed = copy.deepcopy(content)
    changed["questions"][0]["found"]["routes"] = {}
    assert not jsonschema.Draft202012Validator(schema).is_valid(changed)


def test_answers_json_holds_the_parameters_in_force(built: Project, content: dict[str, Any]) -> None:
    """As params.yml has them; decimals are exact."""
    entry = yaml.safe_load(built.path("generators/courses/comp4901y/params.yml").read_text(encoding="utf-8"))
    for question in content["questions"]:
        if question["id"].startswith("comp4901y/hw4_q"):
            own = entry[question["id"].partition("/")[2]]
            assert overlaid(question["params"], own) == question["params"]
    accelerators = content["questions"][0]["params"]["accelerators"]
    assert accelerators[1]["peak_tflops"] == "4947/5"  # 989.4
