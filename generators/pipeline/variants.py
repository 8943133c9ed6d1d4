"""A question's page under other conventions and at the other sizes that it names, as HTML for a reader to switch to."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, get_args

import yaml
from markdown import Markdown

from generators.answer import Answer, Figure
from generators.errors import ParameterError, RenderError
from generators.params import Params
from generators.pipeline.catalog import ROOT, QuestionId, load_params
from generators.pipeline.failures import named
from generators.pipeline.published import published
from generators.pipeline.render import body, fixed_by, stated
from generators.pipeline.slips import boxed
from generators.question import Question, overlaid


def variants(
    question_id: QuestionId,
    question: Question[Any],
    entry: Mapping[str, Any],
    answer: Callable[[], Answer],
    pictures: Mapping[str, Figure],
) -> list[dict[str, Any]]:
    """Each page that fits the entry: group, name, HTML, boxed numbers, and its pictures that are not the published ones.

    `answer` gives the published answer, which is asked for only if there is a picture.
    """
    params = load_params(question_id, question, entry)
    made: list[dict[str, Any]] = []
    for group, name, change in changes(question, params):
        try:
            changed = load_params(question_id, question, overlaid(entry, change))
        except ParameterError:
            continue  # what is for one entry need not fit another
        if changed != params:
            with named(f"the variant “{name}”", question_id):
                other = question.solve(changed)
                figures = (
                    pictures if not pictures or _looks_the_same(answer(), other, pictures) else draw_strictly(question, other)
                )
                own = {one: figure for one, figure in figures.items() if figure != pictures.get(one)}
                page = _page(question_id, changed, other, figures, own, len(made) + 1)
                numbers = {one.quantity.address: str(one.number) for one in boxed(changed, other)}
                made.append({"group": group, "name": name, "numbers": numbers, **page})
    return made


def changes(question: Question[Any], params: Params) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """What the question names, and every other value of a convention that a reader cannot choose beside the numbers."""
    yield from question.variants
    held: Params | None = getattr(params, "conventions", None)
    for name, field in type(held).model_fields.items() if held else ():
        value = getattr(held, name)
        options = (True, False) if isinstance(value, bool) else get_args(field.annotation)
        for one in options if value is not None and f"conventions.{name}" not in question.what_if else ():
            if isinstance(one, str | bool | int) and one != value:
                yield f"{stated(field, value)} ({fixed_by(field, value)})", stated(field, one), {"conventions": {name: one}}


def draw_strictly(question: Question[Any], answer: Answer) -> Mapping[str, Figure]:
    """Draw; a warning is a failure too, as matplotlib only warns when labels leave no room for the picture."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        return question.draw(answer)


def _looks_the_same(answer: Answer, other: Answer, pictures: Mapping[str, Figure]) -> bool:
    """Whether all parts of which a picture shows something are as published, so that nothing has to be drawn."""
    shown = {address.partition("/")[0] for one in pictures.values() for address in one.shows}
    first, second = (_of_parts(one, shown) for one in (answer, other))
    return first == second


def _of_parts(answer: Answer, labels: set[str]) -> dict[str, Any]:
    return {address: value for address, value in published(answer).items() if address.partition("/")[0] in labels}


def _page(
    question_id: QuestionId, params: Params, answer: Answer, figures: Mapping[str, Figure], own: Mapping[str, Figure], place: int
) -> dict[str, Any]:
    """The page's HTML; pictures of its own have its place in their names."""
    text = body(question_id, params, answer, figures, "site").text
    for name in own:
        text = text.replace(f"({question_id.page}-{name}.svg", f"({question_id.page}-{name}.variant{place}.svg")
    svgs = {f"{name}.variant{place}": one.svg for name, one in own.items()}
    tall = {f"{name}.variant{place}": one.tall for name, one in own.items() if one.tall}
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
