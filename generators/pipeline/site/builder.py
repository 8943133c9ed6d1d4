"""The website: every page as Markdown below `docs/answers/`, built by mkdocs into `site/`."""

from __future__ import annotations

import gc
import importlib
import json
import logging
import os
import posixpath
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from generators.errors import RenderError
from generators.figures import style
from generators.pipeline import stamp
from generators.pipeline.answers_json import answers_json
from generators.pipeline.build import Tell, Worked
from generators.pipeline.catalog import QuestionId, shown
from generators.pipeline.diff.builds import remember
from generators.pipeline.files import PAGES, SITE, put_in_place, restore, staging, write_whole, writing
from generators.pipeline.kept import BUILD
from generators.pipeline.listed import Listed, contents
from generators.pipeline.pdf.builder import Printed, build_pdfs, remove_others
from generators.pipeline.schedule import Entries
from generators.pipeline.site.math_font import math_font
from generators.pipeline.site.overview import changes, example, questions, routes
from generators.pipeline.site.page import conventions_page, leads, site_page
from generators.pipeline.site.problems import Problems
from generators.pipeline.wording import counted

CONFIG = BUILD / "mkdocs.yml"
_HAND_WRITTEN = ({"Home": "index.md"}, {"How answers are checked": "checks.md"}, {"For machines": "answers-json.md"})


def build_site(entries: Entries, tell: Tell) -> None:
    """Bring PDFs, pages and `site/` up to date; an earlier site stays whole until the new one is complete."""
    start = time.perf_counter()
    gc.disable()  # a process of seconds; collecting takes a tenth of mkdocs' time
    inputs = stamp.inputs_digest()
    restore(SITE)
    restore(PAGES)
    new, late = staging(SITE), set[QuestionId]()

    def make(worked_out: Mapping[QuestionId, Worked], pdfs: Printed) -> None:
        late.update(one for one, worked in worked_out.items() if worked.variants is None)
        write_pages(worked_out, pdfs)
        make_site(worked_out, new)
        write_whole(new / "answers.json", answers_json(contents(worked_out.values())).encode())

    pdfs, worked_out = build_pdfs(entries, tell, _prepare, make)
    for folder in (PAGES, new / PAGES.name):
        with writing(folder):
            _write_variants(folder, [one for one in worked_out.values() if one.question_id in late])
    written = stamp.seen(_files(new), new, SITE) | stamp.seen([*_files(PAGES), CONFIG, *pdfs])
    put_in_place(new, SITE)
    tell(f"wrote site/ with {counted(len(worked_out), 'question')} ({time.perf_counter() - start:.1f} s)")
    remove_others(entries, tell)
    remember(worked_out, pdfs, tell)
    stamp.finished("site", inputs, written)


def make_site(worked_out: Mapping[QuestionId, Worked], target: Path, *, strict: bool = True) -> None:
    """Build the pages that were written into `target`; a strict build refuses links that lead nowhere."""
    _write_config(worked_out)
    with writing(target):
        _run_mkdocs(target, strict=strict)
        _name_search(target)
        _write_search_index(target)
        _shorten_scripts(target)


def _files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file()]


def _prepare() -> None:
    """What the site needs besides the answers: the maths font, and mkdocs in memory."""
    math_font()
    _import_mkdocs()


def write_pages(worked_out: Mapping[QuestionId, Worked], pdfs: Printed) -> None:
    """Write Markdown, pictures, PDFs and assets of all questions, and put them in the place of the old ones.

    Pages of other readings that are not made yet are written later.
    """
    new = staging(PAGES)
    listing = contents(worked_out.values())
    with writing(new):
        for question in listing:
            _write_question(new, question, [one for one in listing if leads(one, question) and not leads(question, one)])
        for path, content in pdfs.items():
            write_whole(new / path, content)
        _write_variants(new, worked_out.values())
        taken_in = {"example": example(listing), "questions": questions(listing), "changes": changes(), "routes": routes(listing)}
        for name, text in taken_in.items():
            _write_text(new / f".{name}.md", text)
        _write_text(new / "conventions.md", conventions_page(listing))
        _write_text(new / "assets" / "palette.css", style.palette_css())
        write_whole(new / "assets" / "math.woff2", math_font())
    put_in_place(new, PAGES)


def _write_question(folder: Path, question: Listed, linking: Sequence[Listed]) -> None:
    page = folder / f"{question.path}.md"
    _write_text(page, site_page(question, posixpath.relpath(question.pdf, posixpath.dirname(question.path)), linking))
    _write_pictures(page, question.worked.figures, question.worked.tall)


def _write_variants(folder: Path, worked_out: Iterable[Worked]) -> None:
    """Write the pages of other readings that are made, each question's as a script, and their pictures."""
    for one in worked_out:
        page = folder / f"{one.question_id.path}.md"
        for place, variant in enumerate(one.variants or (), 1):
            pictures = {f"{name}.variant{place}": picture for name, picture in variant["pictures"].items() if picture}
            svgs, tall = ({name: one[form] for name, one in pictures.items() if one[form]} for form in ("svg", "tall"))
            _write_pictures(page, svgs, tall)
        if one.variants:
            pages = json.dumps([variant["html"] for variant in one.variants], ensure_ascii=False)
            _write_text(page.with_name(f"{page.stem}.variants.js"), f"window.variants({pages});\n")


def _write_pictures(page: Path, pictures: Mapping[str, str], tall: Mapping[str, str]) -> None:
    for name, svg in {**pictures, **{f"{name}.tall": svg for name, svg in tall.items()}}.items():
        _write_text(page.with_name(f"{page.stem}-{name}.svg"), svg)
        _write_text(page.with_name(f"{page.stem}-{name}.dark.svg"), style.dark(svg))


def _write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _nav(worked_out: Mapping[QuestionId, Worked]) -> list[Any]:
    """Hand-written pages, then answers by course, document and question."""
    courses: dict[str, dict[str, list[dict[str, str]]]] = {}
    for one in contents(worked_out.values()):
        number, title = one.worked.question_id.number, one.worked.title
        title = title if number is None else f"{number}. {title}"
        courses.setdefault(one.course, {}).setdefault(one.document, []).append({title: f"answers/{one.path}.md"})
    answers = [{course: [{name: pages} for name, pages in documents.items()]} for course, documents in courses.items()]
    return [_HAND_WRITTEN[0], *answers, {"Conventions and errata": "answers/conventions.md"}, *_HAND_WRITTEN[1:]]


def _write_config(worked_out: Mapping[QuestionId, Worked]) -> None:
    config = {"INHERIT": "../mkdocs.yml", "docs_dir": "../docs", "site_dir": "../site", "nav": _nav(worked_out)}
    write_whole(CONFIG, json.dumps(config, indent=1).encode())


def _import_mkdocs() -> None:
    os.environ["NO_MKDOCS_2_WARNING"] = "1"  # Material's notice about a version that is not used here
    os.environ["SOURCE_DATE_EPOCH"] = "0"  # mkdocs would write today's date into sitemap.xml.gz
    importlib.import_module("mkdocs.commands.build")
    importlib.import_module("material.plugins.search.plugin")


def _run_mkdocs(target: Path, *, strict: bool) -> None:
    _import_mkdocs()
    from mkdocs.commands.build import build
    from mkdocs.config import load_config
    from mkdocs.exceptions import MkDocsException

    from generators.pipeline.site.kept_pages import KeptPages

    problems = Problems()
    logger = logging.getLogger("mkdocs")
    logger.addHandler(problems)
    try:
        config = load_config(str(CONFIG), site_dir=str(target), docs_dir=str(PAGES.parent), strict=strict)
        _refuse_missing([*config["extra_css"], *map(str, config["extra_javascript"])], Path(config["docs_dir"]))
        config.plugins["kept"] = pages = KeptPages()
        build(config)
    except (MkDocsException, SystemExit) as error:
        reason = problems.first or " ".join(str(error).split())
        raise RenderError(f"mkdocs: {reason}") from error
    finally:
        logger.removeHandler(problems)
    if not problems.first:  # a draft may warn; a strict build must see the same warning
        pages.keep()


def _refuse_missing(names: Iterable[str], docs: Path) -> None:
    """Style sheets and scripts that mkdocs.yml names; mkdocs does not look for them."""
    for name in names:
        if not (docs / name).is_file():
            raise RenderError(f"mkdocs.yml: {shown(docs / name)}: there is no such file")


def _name_search(site: Path) -> None:
    """The theme makes its search a dialog without a name, so that a screen reader could not announce it."""
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        page.write_text(
            text.replace('class="md-search" data-md', 'class="md-search" aria-label="Search" data-md'), encoding="utf-8"
        )


def _shorten_scripts(site: Path) -> None:
    """Our scripts without indentation and without lines of comments, as every page loads some."""
    for script in (site / "assets").glob("*.js"):
        text = script.read_text(encoding="utf-8")
        script.write_text(_UNREAD.sub("", text), encoding="utf-8")


_UNREAD = re.compile(r"^ *//.*\n|^ +", re.MULTILINE)


def _write_search_index(site: Path) -> None:
    """A page opened from file:// cannot fetch JSON; the theme then asks for the same index as a script."""
    index = (site / "search" / "search_index.json").read_bytes()
    write_whole(site / "search" / "search_index.js", b"var __index = " + index)
