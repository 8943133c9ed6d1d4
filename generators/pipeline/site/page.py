"""Whole pages as Markdown: the header, the checks and the links around a rendered body."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from generators.pipeline.scaling import scaling
from generators.pipeline.wording import counted, sentence

if TYPE_CHECKING:
    from generators.pipeline.build import Worked
    from generators.pipeline.course import Agreement
    from generators.pipeline.listed import Listed
    from generators.pipeline.pdf.student import Student

_ENTITIES = {ord(mark): f"&#{ord(mark)};" for mark in "\\`*_{}[]()<>#+-.!|&$~^\"':=@%/"}
_PRINTED_COLUMNS = 2100  # more dashes than pandoc's --columns, so that it takes the widths as given


def escaped(text: str) -> str:
    """Plain text on one line as Markdown in which no character is markup, for Python-Markdown and pandoc alike.

    Runs of spaces stay as wide as they are, as in a program's output.
    """
    line = re.sub(r"[^\S ]+", " ", text.translate(_ENTITIES)).strip()
    return re.sub(r"  +", lambda run: " " + "&#160;" * (len(run[0]) - 1), line)


def grouped(text: str) -> str:
    """Escaped text with the digits of long whole numbers in groups of three, between which no line breaks."""
    apart = _LONG.sub(lambda number: re.sub(r"(?<=\d)(?=(\d{3})+$)", _THIN, number[0]), text)
    return escaped(apart).replace(_THIN, "&#8239;")


_LONG, _THIN = re.compile(r"(?<![\d.])\d{5,}"), "\ue003"


def pipe_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[bool], widths: Sequence[int] | None = None
) -> str:
    """A Markdown table; `widths` are relative and matter in print only."""
    shares = [width * _PRINTED_COLUMNS // sum(widths) for width in widths] if widths else [3] * len(header)
    rule = ["-" * share + ":" if numeric else ":" + "-" * share for share, numeric in zip(shares, right, strict=True)]
    lines = [f"| {' | '.join(cells)} |" for cells in (header, rule, *rows)]
    return "\n" + "\n".join(lines) + "\n"


def site_page(question: Listed, pdf: str, linking: Sequence[Listed] = ()) -> str:
    """The page of a question on the site; `pdf` is the PDF as seen from there, and `linking` are questions to link back to."""
    worked = question.worked
    where = f"{question.course}, {question.document}"
    facts = [escaped(where), *_place(worked)]
    if not _words(question.source) <= _words(where):
        facts.append(escaped(f"Source: {question.source}"))
    opens = " with an agreement to sign, in our words" if question.agreement else ""
    name = escaped(pdf.rpartition("/")[2])
    facts.append(f"[{f'PDF to hand in: {name}' if question.handed_in else 'PDF'}]({pdf}){{.pdf-link}}{opens}")
    passed, section = _found_again(worked.ledger, worked.site)
    return "\n".join(
        [
            f"# {escaped(worked.title)}\n",
            '<div class="facts" markdown="1">\n',
            " · ".join(facts) + "  ",
            passed,
            "\n</div>\n",
            _SNIPPET.sub(r"\1;", worked.site),
            "".join(_script(question, name) for name in ("made", "numbers", "formulas")),
            _readings(question) if worked.readings else "",
            _see_also(linking),
            section,
            _slips(worked),
            _what_if(question) if worked.what_if else "",
            _script(question, "nodes") if '<div data-nodes="' in worked.site else "",
        ]
    )


def _slips(worked: Worked) -> str:
    """What `assets/compare.js` reads: boxed numbers and rows of masks, and what others come from, which search does not see."""
    places = set(_PLACE.findall(worked.site))
    shown = [one for one in worked.slips["numbers"] if places & {one["at"], "/".join(one["at"].split("/")[:2])}]
    numbers = [_with_readings(one, worked.readings) for one in shown]
    known = {**worked.slips, "numbers": numbers, "scaling": scaling(numbers)}
    return data("boxed", known) if shown or worked.slips["rows"] else ""


def _with_readings(one: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A boxed number with its slips, and with what other readings give that no slip gives."""
    known = {one["value"], *(number for number, *_ in one["slips"])}
    readings: dict[str, list[str]] = {}
    for other in others:
        number = other["numbers"].get(one["at"])
        if number and number not in known:
            readings.setdefault(number, []).append(f"under another reading, “{other['name']}”")
    return {**one, "slips": [*one["slips"], *([number, *words] for number, words in readings.items())]}


def _what_if(question: Listed) -> str:
    """What `assets/what_if.js` reads, and the scripts, which only these pages load."""
    drawing = _script(question, "chart") if _DRAWN_ANEW.search(question.worked.site) else ""
    return data("what-if", question.worked.what_if) + drawing + _script(question, "what_if")


_DRAWN_ANEW = re.compile(r'<div data-chart="[^"]*&quot;lines&quot;:')


def _readings(question: Listed) -> str:
    """What `assets/variants.js` reads to offer other readings, whose pages lie in a script of their own, and that script."""
    page = question.path.rpartition("/")[2]
    offered = {"script": f"{page}.variants.js", "names": [[one["group"], one["name"]] for one in question.worked.readings]}
    return data("variants", offered) + _script(question, "variants")


def _script(question: Listed, name: str) -> str:
    """A script that only some pages of questions load, or only these."""
    return f'\n<script src="{"../" * question.path.count("/")}../assets/{name}.js" defer></script>\n'


def data(name: str, content: Any) -> str:
    """Data for a script in an attribute, which search does not see."""
    written = html.escape(json.dumps(content, ensure_ascii=False, separators=(",", ":")))
    return f'\n<div data-{name}="{written}" hidden></div>\n'


_SNIPPET = re.compile(r"^([ \t]*)(?=;*-+8<-)", re.MULTILINE)
"""Where text of parameters or recordings would take in a file; a semicolon there keeps it text."""


def leads(one: Listed, other: Listed) -> bool:
    """Whether one question's page links to another's."""
    return one is not other and f"](../../{other.path}.md)" in one.worked.site


def _see_also(linking: Sequence[Listed]) -> str:
    links = [f"[{escaped(one.worked.title)}](../../{one.path}.md)" for one in linking]
    return f"See also: {', '.join(links)}.\n" if links else ""


_PLACE = re.compile(r"""(?:id="|\\label{)([^"}]+)["}]""")


def _link(name: str, address: str, places: Sequence[str]) -> str:
    """A link from its name to a datum's place on the page, or to the first place of a table's or derivation's own."""
    place = next((one for one in places if one == address or one.startswith(f"{address}/")), None)
    return f"[{escaped(name)}](#{place})" if place else escaped(name)


BEING_CHECKED = '<span class="being-checked">being checked</span>'
"""Stands where a draft would say what was found again."""


ROUTES = (
    "A route is a second way to a value. It shares no code with the way that made the page. "
    "A value that two routes found counts for both."
)


def _found_again(ledger: Mapping[str, Any] | None, page: str) -> tuple[str, str]:
    """The line at the top and the last section of a page: boxed values one by one, all others counted by route."""
    if ledger is None:
        return BEING_CHECKED, ""
    routes, places = ledger["routes"], _PLACE.findall(page)
    boxed = [
        [_link(one["name"], one["address"], places), *map(grouped, (one["published"], one["found"])), escaped(one["route"])]
        for one in ledger["boxed"]
    ]
    counts = [[escaped(name), str(count)] for name, count in routes.items()]
    counts += [["the sheet, the parameters or recordings, read again", str(ledger["restated"])]] if ledger["restated"] else []
    counts += [["arrays that only pictures show", str(ledger["drawn"])]] if ledger["drawn"] else []
    proofs = [f"- {escaped(sentence(what))} ({escaped(route)})." for what, route in ledger["proofs"]]
    lines = [
        "## How it was checked { #checks data-search-exclude }\n",  # the boxes are found above
        ROUTES,
        *([f"{ledger['formulas']} formulas were also evaluated at other sizes."] if ledger["formulas"] > 1 else []),
        '\n<div class="checks" markdown="1">\n',
        pipe_table(["What is asked", "Published", "Found", "Route"], boxed, right=[False] * 4) if boxed else "",
        pipe_table(["Route", "Values found"], counts, right=[False, True]),
        "",
        *proofs,
        "\n</div>\n",
    ]
    by = "by an independent route" if len(routes) == 1 else f"each by at least one of {len(routes)} independent routes"
    found = f"{counted(ledger['values'], 'value')} found again, {by}"
    return f"[{found}](#checks)", "\n".join(lines)


def printed_title(worked: Worked) -> str:
    """The heading of a question in print: its number, if it has one, and its title."""
    number = worked.question_id.number
    return worked.title if number is None else f"Question {number}. {worked.title}"


def printed_page(worked: Worked, document: str, student: str) -> str:
    """The same question for its PDF, without anything that belongs to a website."""
    facts = [escaped(document), *_place(worked)[1:], *([escaped(breakable(student))] if student else [])]
    return f"# {escaped(printed_title(worked))}\n\n{' · '.join(facts)}\n\n{worked.pdf}"


def on_own_pages(page: str) -> str:
    """The printed page of a question with every part of the sheet from the top of a page."""
    return re.sub(r"^## (?=\d)", "`#pagebreak(weak: true)`{=typst}\n\n## ", page, flags=re.MULTILINE)


def agreement_page(document: str, form: Agreement, signed: Student) -> str:
    """The signed agreement that opens a document handed in as one file; blank lines where nothing is given."""
    rows = [(form.signature, signed.signature), (form.name, signed.name), (form.student_id, signed.student_id)]
    lines = [
        f"`#v(8mm) #box(width: 4cm)[`{{=typst}}{escaped(label)}`]`{{=typst}} {escaped(breakable(text)) if text else '&#95;' * 40}"
        for label, text in rows
    ]
    return "\n\n".join(["# Agreement", *map(escaped, [document, *(signed.agreement or form.text)]), *lines])


def breakable(text: str) -> str:
    """Text whose long words may break over lines."""
    return re.sub(r"\S{24}(?=\S)", lambda run: f"{run[0]}\u200b", text)


def _place(worked: Worked) -> list[str]:
    """Number and points of a homework question; a lecture's section has neither."""
    number = worked.question_id.number
    return [] if number is None else [f"Question {number}", f"{worked.points} points"]


def _words(text: str) -> set[str]:
    """The words of a text, however they are written."""
    return set(re.findall(r"\w+", text.casefold()))


def conventions_page(contents: Sequence[Listed]) -> str:
    """Every convention in force and every erratum found, by question; search finds each on its question's page."""
    lines = [
        "# Conventions and errata\n",
        "What each answer rests on, and what is wrong or missing in the documents. A convention is a parameter:",
        "change it in `params.yml` and every number that depends on it follows. In print: [all PDFs](../index.md#pdfs).\n",
    ]
    for one in contents:
        title = f"[{escaped(one.worked.title)}]({one.path}.md)"
        lines.append(f"## {title} {{ data-search-exclude }}\n\n{escaped(f'{one.course}, {one.document}')}\n")
        lines += [one.worked.conventions, one.worked.errata]
    return "\n".join(lines)
