"""A question's page under its other readings, as HTML for a reader to switch to."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

import yaml
from markdown import Markdown

from generators.answer import Answer, Figure
from generators.errors import RenderError
from generators.params import Params
from generators.pipeline.catalog import ROOT, QuestionId
from generators.pipeline.published import published
from generators.pipeline.render import body
from generators.question import Question


def own_pictures(
    question: Question[Any], answer: Callable[[], Answer], other: Answer, pictures: Mapping[str, Figure]
) -> dict[str, Figure | None]:
    """The pictures of another reading, None for one that is as published; `answer` gives the published answer, if needed."""
    if not pictures or _looks_the_same(answer(), other, pictures):
        return dict.fromkeys(pictures)
    return {name: None if one == pictures.get(name) else one for name, one in draw_strictly(question, other).items()}


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


def page_of(
    question_id: QuestionId, params: Params, answer: Answer, figures: Mapping[str, Figure], own: Iterable[str], place: int
) -> str:
    """The page's HTML; pictures of its `own` have its place in their names."""
    text = body(question_id, params, answer, figures, "site").text
    for name in own:
        text = text.replace(f"({question_id.page}-{name}.svg", f"({question_id.page}-{name}.variant{place}.svg")
    try:
        return _html(text)
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
