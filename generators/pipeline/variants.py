"""A question's page under other conventions and at the other sizes that it names, as HTML for a reader to switch to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, get_args

import yaml
from markdown import Markdown

from generators.answer import Figure
from generators.errors import ParameterError, RenderError
from generators.params import Params
from generators.pipeline.catalog import ROOT, QuestionId, load_params
from generators.pipeline.failures import named
from generators.pipeline.render import body, fixed_by, stated
from generators.question import Question, overlaid


def variants(
    question_id: QuestionId, question: Question[Any], entry: Mapping[str, Any], pictures: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Each page that fits the entry: group, name, HTML, and those of its pictures that are not the published ones."""
    params = load_params(question_id, question, entry)
    made: list[dict[str, Any]] = []
    for group, name, change in _changes(question, params):
        try:
            changed = load_params(question_id, question, overlaid(entry, change))
        except ParameterError:
            continue  # what is for one entry need not fit another
        if changed != params:
            with named(f"the variant “{name}”", question_id):
                made.append({"group": group, "name": name, **_page(question_id, question, changed, pictures, len(made) + 1)})
    return made


def _changes(question: Question[Any], params: Params) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """What the question names, and every other value of a convention that formulas of the page do not follow."""
    yield from question.variants
    held: Params | None = getattr(params, "conventions", None)
    for name, field in type(held).model_fields.items() if held else ():
        value, followed = getattr(held, name), f"conventions.{name}" in question.what_if
        options = (True, False) if isinstance(value, bool) else get_args(field.annotation)
        for one in () if followed else options:
            if isinstance(one, str | int) and one != value:
                yield f"{stated(field, value)} ({fixed_by(field)})", stated(field, one), {"conventions": {name: one}}


def _page(
    question_id: QuestionId, question: Question[Any], params: Params, published: Mapping[str, Any], place: int
) -> dict[str, Any]:
    """The page's HTML; pictures of its own have its place in their names."""
    answer = question.solve(params)
    figures: dict[str, Figure] = dict(question.draw(answer))
    own = {name: one for name, one in figures.items() if name not in published or one.svg != published[name]["svg"]}
    text = body(question_id, params, answer, figures, "site").text
    for name in own:
        text = text.replace(f"({question_id.page}-{name}.svg", f"({question_id.page}-{name}.{place}.svg")
    svgs = {f"{name}.{place}": one.svg for name, one in own.items()}
    tall = {f"{name}.{place}": one.tall for name, one in own.items() if one.tall}
    try:
        return {"html": _html(text), "figures": svgs, "tall": tall}
    except RenderError as error:
        raise RenderError(f"templates/{question_id.template}: {error}") from error


_LINK = re.compile(r"(\]\([^)\s]+)\.md(?=[)#])")


def _html(markdown: str) -> str:
    """Markdown as mkdocs converts it; a link leads to a page of the site."""
    html: str = _converter().reset().convert(_LINK.sub(r"\1.html", markdown))
    return html


@cache
def _converter() -> Any:
    """With the extensions that mkdocs.yml names, and with those that mkdocs adds."""
    listed = yaml.safe_load((ROOT / "mkdocs.yml").read_bytes())["markdown_extensions"]
    settings = dict(pair for one in listed for pair in (one.items() if isinstance(one, dict) else [(one, {})]))
    del settings["pymdownx.snippets"]  # takes in files, of which a question's page has none
    return Markdown(extensions=["fenced_code", *settings], extension_configs=settings)
