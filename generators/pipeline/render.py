"""Answer to Markdown, pure: jinja templates, and the filters they use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Literal

import jinja2
from jinja2 import nodes
from jinja2.visitor import NodeTransformer
from markupsafe import Markup

from generators.answer import Answer, Figure
from generators.errors import RenderError
from generators.params import Params
from generators.pipeline import addresses, filters, slots
from generators.pipeline.catalog import TEMPLATES, QuestionId, modules
from generators.pipeline.conventions import fixed_by, stated
from generators.pipeline.places import pointed_at
from generators.pipeline.site.page import data, escaped

Medium = Literal["site", "booklet", "handed_in"]
"""The site; the PDF of a lecture, which holds all of a page; a PDF that is handed in, which holds what earns marks."""


@dataclass(frozen=True)
class Body:
    """A question's page as Markdown below its title, and the parts that other pages quote."""

    text: str
    conventions: str
    errata: str


class _Following(jinja2.Environment):
    """Templates whose `{% if claim %}` keep what they hold, so that a page can show it where the claim comes to hold."""

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        """Jinja has no public place between reading a template and compiling it."""
        parsed: nodes.Template = _WholeBranches().visit(super()._parse(source, name, filename))
        parsed.set_environment(self)
        return parsed


class _WholeBranches(NodeTransformer):
    """Makes `{% if claim %}text{% endif %}` a call of `only_if`; what has another branch stays."""

    def visit_If(self, node: nodes.If) -> nodes.Node:  # noqa: N802
        """Called by jinja."""
        self.generic_visit(node)
        if node.elif_ or node.else_:
            return node
        call = nodes.Call(nodes.Name("only_if", "load"), [node.test], [], None, None)
        return nodes.CallBlock(call, [], [], node.body, lineno=node.lineno)


@lru_cache(maxsize=2)
def environment(following: bool = False) -> jinja2.Environment:
    """Templates in which every `{{ text }}` is escaped unless a filter made it Markdown."""
    env = (_Following if following else jinja2.Environment)(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        finalize=filters.finalized,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    env.filters.update(filters.FILTERS)
    env.globals["only_if"] = filters.only_if
    return env


def body(
    question_id: QuestionId, params: Params, answer: Answer, figures: Mapping[str, Figure], medium: Medium,
    *, following: bool = False,
) -> Body:  # fmt: skip
    """Render the question's template, `following` changes of parameters or not; anything wrong with it raises RenderError."""
    where = f"templates/{question_id.template}"
    finished = partial(addresses.anchored, following=following) if medium == "site" else addresses.bare
    try:
        template = environment(following).get_template(question_id.template)
        _refuse_missing_blocks(template, answer)
        context = template.new_context(context_of(question_id, params, answer, figures, medium))
        return Body(
            text=finished(_tidied("".join(template.root_render_func(context)))),
            conventions=addresses.bare(_block(template, context, "conventions")),
            errata=addresses.bare(_block(template, context, "errata")),
        )
    except jinja2.TemplateNotFound as error:
        raise RenderError(f"templates/{error.name}: the template is missing") from error
    except jinja2.TemplateSyntaxError as error:
        raise RenderError(f"templates/{error.name}: line {error.lineno}: {error.message}") from error
    except jinja2.UndefinedError as error:
        missing = re.search(r"has no (?:attribute|element) '([^']*)'", str(error))
        said = f"{missing[1]}: no such address or key in the answer" if missing else str(error)
        raise RenderError(f"{where}: {said}") from error
    except KeyError as error:
        raise RenderError(f"{where}: {error.args[0]}: no such address, key or figure in the answer") from error
    except (jinja2.TemplateError, TypeError, ValueError) as error:
        raise RenderError(f"{where}: {type(error).__name__}: {' '.join(str(error).split())}") from error


def _refuse_missing_blocks(template: jinja2.Template, answer: Answer) -> None:
    """Each part that the document numbers needs its box and its working."""
    for label, part in answer.parts.items():
        for kind in ("answer", "working") if part.numbered else ():
            name = f"{kind}_{label.replace('.', '_')}"
            if name not in template.blocks:
                raise jinja2.TemplateError(f"part {label} needs {{% block {name} %}} ... {{% endblock %}}")


def _block(template: jinja2.Template, context: jinja2.runtime.Context, name: str) -> str:
    return _tidied("".join(context.blocks[name][0](context)))


def _tidied(text: str) -> str:
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def context_of(
    question_id: QuestionId, params: Params, answer: Answer, figures: Mapping[str, Figure], medium: Medium
) -> dict[str, Any]:
    """The names that a question's template may use."""

    def figure(name: str) -> Markup:
        one, on_site = figures[name], medium == "site"
        picture = image(f"{question_id.page}-{name}.svg", one, has_twin=on_site and one.tall != "")
        nodes = Markup(f"\n{data('nodes', pointed_at(one))}") if on_site and one.nodes else ""
        chart = Markup(f"\n{data('chart', slots.in_data(one.chart))}") if on_site and one.chart else ""
        return picture + nodes + chart

    def see(target: str, text: str) -> Markup:
        course, _, slug = target.partition("/")
        if medium != "site" or slug not in modules(course):
            return Markup(escaped(text))
        return Markup(f"[{escaped(text)}](../../{QuestionId(course, slug).path}.md)")

    return {
        "see": see,
        "definition": filters.definition,
        "conventions": _conventions(params, medium),
        "answer": answer,
        "figure": figure,
        "medium": medium,
        "subheading": Markup("####" if medium == "site" else "###"),
        "numbered": [label for label, part in answer.parts.items() if part.numbered],
    }


def _key(name: str, value: Any) -> str:
    """A convention's key, with its value where the sentence does not show that."""
    return f"{name}: {str(value).lower()}" if isinstance(value, str | bool) else name


def _conventions(params: Params, medium: Medium) -> list[tuple[str, str, str]]:
    """The key of every convention in force that the medium states, the sentence that says it, and what fixes it.

    One without a value is not in force.
    """
    held: Params | None = getattr(params, "conventions", None)
    if held is None:
        return []
    fields = {name: (field, getattr(held, name)) for name, field in type(held).model_fields.items()}
    return [
        (_key(name, one), stated(field, one, filters.with_noun), fixed_by(field, one))
        for name, (field, one) in fields.items()
        if one is not None and (medium != "handed_in" or field.json_schema_extra["handed_in"])  # type: ignore[index]
    ]


def image(source: str, figure: Figure, *, has_twin: bool = False) -> Markup:
    """A figure as a Markdown image whose title is its caption, and whose class says that a tall twin stands beside it."""
    return Markup(f'![{escaped(figure.alt)}]({source} "{escaped(figure.caption)}"){"{.wide}" if has_twin else ""}')
