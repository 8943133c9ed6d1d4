"""Markdown through pandoc to Typst to PDF: tagged, with fonts embedded, the same bytes each time."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from generators.errors import RenderError
from generators.glyphs import font_folder
from generators.pipeline.catalog import GENERATORS, ROOT, TEMPLATES
from generators.pipeline.digest import digest_of, digests
from generators.pipeline.kept import BUILD, Section, current, keep, load
from generators.pipeline.pdf.submission import Document
from generators.pipeline.site.page import breakable

_NEW_PAGE = "\n#pagebreak(weak: true)\n\n"
STANDARD: Literal["ua-1"] = "ua-1"
OWN_FILES = (
    Path(__file__),
    Path(__file__).with_name("printed_check.py"),
    GENERATORS / "glyphs.py",
    GENERATORS / "figures" / "style.py",
    TEMPLATES / "_pdf.lua",
    TEMPLATES / "_pdf_pages.lua",
    TEMPLATES / "_pdf.typ.j2",
    ROOT / "requirements.lock",
)
"""What a PDF depends on besides its document, the check of the finished file included."""


def compiled_pdf(document: Document) -> bytes:
    """Compile a document in a folder of its own; whatever pandoc or Typst warn of raises RenderError."""
    with tempfile.TemporaryDirectory(prefix="answers-pdf-") as name:
        folder = Path(name)
        for picture, svg in document.pictures.items():
            (folder / picture).write_text(svg, encoding="utf-8")
        if document.font:
            shutil.copy(document.font, folder)
        source = folder / "main.typ"
        source.write_text(_typst_source(document), encoding="utf-8")
        return _compiled(source, document.path)


def _typst_source(document: Document) -> str:
    import jinja2

    from generators.figures.style import LIGHT

    env = jinja2.Environment(
        undefined=jinja2.StrictUndefined, loader=jinja2.FileSystemLoader(TEMPLATES), keep_trailing_newline=True
    )
    env.filters["typst_string"] = lambda text: json.dumps(text, ensure_ascii=False)
    colours = {name.replace("-", "_"): value for name, value in LIGHT.items()} | {"box": "#f3f8fc"}
    body = _NEW_PAGE.join(_in_typst(document))
    facts = {"document": document, "student": breakable(document.student), "colours": colours}
    try:
        template = env.get_template("_pdf.typ.j2")
    except jinja2.TemplateNotFound as error:
        raise RenderError(f"templates/{error.name}: the template is missing") from error
    return template.render(facts, body=body)


def _in_typst(document: Document) -> list[str]:
    """The pages as pandoc writes them, each kept for a document of which only other pages change."""
    made, stale = dict[str, str](), dict[str, tuple[Path, str]]()
    for number, (source, page) in enumerate(document.pages.items()):
        place, key = BUILD / "typst" / f"{document.path}.{number}.json", digest_of([page, digests(OWN_FILES)])
        held = current(load(place).get("typst"), key)
        if held is None:
            stale[source] = (place, key)
        else:
            made[source] = held.content
    for source, typst in _pandoc({source: document.pages[source] for source in stale}).items():
        made[source] = typst
        place, key = stale[source]
        keep(place, {"typst": Section(key, typst)})
    return [made[source] for source in document.pages]


def _pandoc(pages: Mapping[str, str]) -> dict[str, str]:
    """Pages in one run of pandoc, by their sources; where it complains, each alone, so that the one is named."""
    import pypandoc

    if not pages:
        return {}
    reader = f"--from={TEMPLATES / '_pdf_pages.lua'}"
    command = [pypandoc.get_pandoc_path(), reader, "--to=typst", "--columns=2000"]
    given = json.dumps([page.expandtabs(4) for page in pages.values()])  # as pandoc itself does, but not with a reader in Lua
    done = subprocess.run(command, input=given, capture_output=True, text=True, encoding="utf-8", check=False)
    if not done.returncode and not done.stderr.strip():
        return dict(zip(pages, json.loads(done.stdout), strict=True))
    if len(pages) > 1:
        for source, page in pages.items():
            _pandoc({source: page})
    raise RenderError(f"{', '.join(pages)}: pandoc: {' '.join(done.stderr.split())}")


def _compiled(source: Path, name: str) -> bytes:
    import typst

    try:
        pdf, warnings = typst.compile_with_warnings(
            str(source),
            root=str(source.parent),
            font_paths=[str(font_folder()), str(source.parent)],
            ignore_system_fonts=True,
            pdf_standards=[STANDARD],
            timestamp=0,
        )
    except typst.TypstError as error:
        raise RenderError(f"build/pdf/{name}: typst: {' '.join(str(error).split())}") from error
    if warnings:
        raise RenderError(f"build/pdf/{name}: typst warns: {' '.join(str(warnings[0]).split())}")
    content: bytes = pdf
    return content
