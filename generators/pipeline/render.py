"""Answer to Markdown, pure: jinja templates, and the filters they use."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, Literal

import jinja2
import sympy
from markupsafe import Markup

from generators import answer as answers
from generators.answer import Cell, Figure, Math, Value, rational
from generators.errors import RenderError
from generators.figures.style import subscripted
from generators.params import Params
from generators.pipeline import filters, typeset, typeset_matrices
from generators.pipeline.catalog import TEMPLATES, QuestionId, modules
from generators.pipeline.site.page import escaped, pipe_table
from generators.pipeline.wording import counted, noun
from generators.steps import Answer, Step, Table, is_number

Medium = Literal["site", "pdf"]


@dataclass(frozen=True)
class Body:
    """A question's page as Markdown below its title, and the parts that other pages quote."""

    text: str
    conventions: str
    errata: str


def _new_environment(finalize: Callable[[Any], Any]) -> jinja2.Environment:
    """Templates in which every `{{ text }}` is escaped unless a filter made it Markdown."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        finalize=finalize,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


@lru_cache(maxsize=1)
def addressed_environment() -> jinja2.Environment:
    """Templates whose context is an Answer with addresses."""
    env = _new_environment(filters.finalized)
    env.filters.update(filters.FILTERS)
    return env


@lru_cache(maxsize=1)
def environment() -> jinja2.Environment:
    """Templates whose context is parameters and an answer of steps."""
    env = _new_environment(_finalized)
    env.filters.update(
        equation=equation, formula=formula, value=value, table=table, result=result, tex=tex, token=token, sentence=sentence
    )
    env.filters.update(
        code=code, noun=noun, counted=counted, one_line=one_line, tensor=tensor, statement=statement, derivation=derivation
    )
    return env


def _finalized(output: Any) -> Any:
    if hasattr(output, "__html__"):
        return output
    if isinstance(output, jinja2.Undefined):
        return output
    return Markup(escaped(str(output)))


def body(
    question_id: QuestionId, params: Params, answer: Answer | answers.Answer, figures: Mapping[str, Figure], medium: Medium
) -> Body:
    """Render the question's template; anything wrong with it raises RenderError."""
    addressed = isinstance(answer, answers.Answer)
    made = blocks(question_id, context_of(question_id, params, answer, figures, medium), addressed=addressed)
    if not addressed:
        return made
    finished = filters.anchored if medium == "site" else filters.bare
    return Body(finished(made.text), filters.bare(made.conventions), filters.bare(made.errata))


def blocks(question_id: QuestionId, names: dict[str, Any], *, addressed: bool) -> Body:
    """The page with addresses still marked, and the blocks that other pages quote."""
    where = f"templates/{question_id.template}"
    try:
        template = (addressed_environment() if addressed else environment()).get_template(question_id.template)
        context = template.new_context(names)
        return Body(
            text=_tidied("".join(template.root_render_func(context))),
            conventions=_block(template, context, "conventions"),
            errata=_block(template, context, "errata"),
        )
    except jinja2.TemplateNotFound as error:
        raise RenderError(f"templates/{error.name}: the template is missing") from error
    except jinja2.TemplateSyntaxError as error:
        raise RenderError(f"templates/{error.name}: line {error.lineno}: {error.message}") from error
    except (jinja2.TemplateError, LookupError, TypeError, ValueError) as error:
        raise RenderError(f"{where}: {type(error).__name__}: {' '.join(str(error).split())}") from error


def _block(template: jinja2.Template, context: jinja2.runtime.Context, name: str) -> str:
    return _tidied("".join(context.blocks[name][0](context)))


def _tidied(text: str) -> str:
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def context_of(
    question_id: QuestionId, params: Params, answer: Answer | answers.Answer, figures: Mapping[str, Figure], medium: Medium
) -> dict[str, Any]:
    """The names that a question's template may use."""
    addressed = isinstance(answer, answers.Answer)

    def figure(name: str) -> Markup:
        return image(f"{question_id.page}-{name}.svg", figures[name])

    def see(target: str, text: str) -> Markup:
        course, _, slug = target.partition("/")
        if medium == "pdf" or slug not in modules(course):
            return Markup(escaped(text))
        return Markup(f"[{escaped(text)}](../../{QuestionId(course, slug).path}.md)")

    return {
        "see": see,
        **({"definition": filters.definition} if addressed else {"params": params}),
        "conventions": [(name, what, str(value)) for name, what, value in _conventions(params)],
        "answer": answer,
        "figure": figure,
        "medium": medium,
        "subheading": Markup("####" if medium == "site" else "###"),
        "numbered": [label for label in answer.parts if label[0].isdigit()],
    }


def _conventions(params: Params) -> list[tuple[str, str, Any]]:
    """Name, description and value of every convention in force; a choice of true or false reads yes or no."""
    held: Params | None = getattr(params, "conventions", None)
    if held is None:
        return []
    fields = type(held).model_fields
    values = {name: getattr(held, name) for name in fields}
    words = {True: "yes", False: "no"}
    return [
        (name, fields[name].description or name, words[one] if isinstance(one, bool) else one) for name, one in values.items()
    ]


def image(source: str, figure: Figure) -> Markup:
    """A figure as a Markdown image whose title is its caption."""
    return Markup(f'![{escaped(figure.alt)}]({source} "{escaped(figure.caption)}")')


def equation(line: Step, *, numbers: bool = True) -> Markup:
    """A step as a displayed, aligned equation; `numbers` shows the line with the numbers put in."""
    return Markup(f"\n$$\n{typeset.equation(line, numbers=numbers)}\n$$\n")


def formula(line: Step) -> Markup:
    """A step's formula, inline."""
    return Markup(f"${typeset.formula(line.formula)}$")


def tex(expression: sympy.Expr) -> Markup:
    """An expression, inline."""
    return Markup(f"${typeset.formula(expression)}$")


def value(number: Value, unit: str = "") -> Markup:
    """A value, inline; a line may break before = and ≈."""
    return _breakable(typeset.value(number, unit))


def result(line: Step, *, letters: bool = True) -> Markup:
    """A step's symbol, formula and value, inline; a line may break before = and ≈."""
    middle = f" = {typeset.formula(line.formula)}" if letters and line.formula is not None else ""
    return _breakable(f"{line.symbol}{middle} {typeset.equated(typeset.value(line.value, line.unit))}")


def _breakable(latex: str) -> Markup:
    """Inline formulas never break in browsers, so that each side of a relation becomes a formula of its own."""
    return Markup(" ".join(f"${piece}$" for piece in re.split(r" (?==|\\approx )", latex)))


def table(
    content: Table,
    units: Mapping[str, str] | None = None,
    widths: list[int] | None = None,
    drop: tuple[str, ...] = (),
    names: Mapping[str, str] | None = None,
    unit: str = "",
    tokens: bool = False,
    rounded: bool = False,
) -> Markup:
    """A table with the unit of each column (else `unit`), relative widths for print, columns left out or renamed.

    With `tokens`, text such as t13 is shown as t₁₃; `rounded` shows numbers without their exact fractions.
    """
    if tokens:
        content = _with_subscripts(content)
    kept = [i for i, name in enumerate(content.header) if name not in drop]
    header = [str(content.header[i]) for i in kept]
    unit_of = [(units or {}).get(str(name), unit) for name in content.header]
    if rounded:
        rows = tuple(tuple(map(_rounded, row, unit_of)) for row in content.rows)
        content = Table(header=content.header, rows=rows)
    cells = [[_cell(row[i], unit_of[i]) for i in kept] for row in content.rows]
    numeric = [all(not isinstance(row[i], str | Math) for row in content.rows) for i in kept]
    shown = [escaped((names or {}).get(name, name)) for name in header]
    return Markup(pipe_table(shown, cells, right=numeric, widths=widths))


def _rounded(cell: Cell, unit: str) -> Cell:
    """The number without its exact form; a percentage has none."""
    if unit != "%" and (isinstance(cell, Fraction) or (isinstance(cell, sympy.Expr) and cell.is_number)):
        return float(cell)
    return cell


def one_line(line: Step) -> Markup:
    """A step as a displayed equation on one line."""
    return Markup(f"\n$$\n{typeset_matrices.one_line(line)}\n$$\n")


def tensor(content: Table, symbol: str, *, also_rounded: bool = True) -> Markup:
    """The numbers of a table as a displayed matrix, without the names of its rows and columns."""
    rows = [[rational(cell) for cell in row if is_number(cell)] for row in content.rows]
    return Markup(f"\n$$\n{typeset_matrices.tensor(symbol, rows, also_rounded=also_rounded)}\n$$\n")


def statement(line: Step) -> Markup:
    """A step's symbol, value and the value's shape as a displayed equation."""
    return Markup(f"\n$$\n{typeset_matrices.statement(line)} \\in {typeset_matrices.space(line.value)}\n$$\n")


def derivation(lines: Iterable[Step]) -> Markup:
    """Equations one under the other, each with the shape of its right side and the reason for it."""
    cells = []
    for line in lines:
        equation_of_line = rf"$\displaystyle {typeset_matrices.statement(line)}$"
        cells.append([equation_of_line, f"${typeset_matrices.shape(line.value)}$", escaped(line.what)])
    return Markup(pipe_table(["Line", "Shape", "Because"], cells, right=[False] * 3, widths=[60, 10, 30]))


def _with_subscripts(content: Table) -> Table:
    def shown(cell: Cell) -> Cell:
        return subscripted(cell) if isinstance(cell, str) else cell

    rows = tuple(tuple(shown(cell) for cell in row) for row in content.rows)
    return Table(header=tuple(shown(name) for name in content.header), rows=rows)


def code(text: str) -> Markup:
    """A command line or a literal as a block of code, on one line that may wrap; must stand between blank lines."""
    return Markup("    " + " ".join(text.splitlines()))


def token(text: str) -> Markup:
    """A token with its number as a subscript."""
    return Markup(escaped(subscripted(text)))


def sentence(text: str) -> Markup:
    """Text with a capital first letter; the rest stays as it is."""
    return Markup(escaped(text[:1].upper() + text[1:]))


def _cell(cell: Cell, unit: str) -> str:
    if cell is None:
        return "–"
    if isinstance(cell, str):
        return escaped(cell)
    latex = cell.latex if isinstance(cell, Math) else typeset.value(cell, unit)
    return f"${latex}$".replace("|", r"\vert ")
