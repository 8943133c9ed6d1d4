"""The same pages as PDFs: Markdown through pandoc to Typst, tagged, with fonts embedded."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from generators.build import BUILD, Entries, Tell, Unit, units, write_whole
from generators.catalog import TEMPLATES, QuestionId, shown
from generators.errors import RenderError
from generators.reads import digest_of, digests

PDFS = BUILD / "pdf"
_STAMPS = BUILD / "pdf.json"
_OWN_FILES = (Path(__file__), TEMPLATES / "_pdf.lua", TEMPLATES / "_pdf.typ.j2", Path(__file__).parent / "page.py")
STANDARD: Literal["ua-1"] = "ua-1"


@dataclass(frozen=True)
class Document:
    """One PDF: its place below `build/pdf/`, its title, and the pages and pictures it holds."""

    path: str
    title: str
    header: str
    markdown: str
    pictures: Mapping[str, str]

    @property
    def digest(self) -> str:
        """Changes when the PDF would."""
        return digest_of([vars(self), digests(_OWN_FILES)])  # type: ignore[arg-type]


def build_pdfs(entries: Entries, tell: Tell, while_waiting: Callable[[], object] = lambda: None) -> list[Path]:
    """Write every PDF of these questions whose content changed; nothing is put in place before all are complete.

    `while_waiting` is called once when only checks still run.
    """
    stamps = _read_stamps()
    compiled: dict[str, tuple[str, bytes]] = {}

    def compile_if_new(question_id: QuestionId, unit: Unit) -> None:
        document = document_of(question_id, unit)
        if not _current(document, stamps):
            compiled[document.path] = (document.digest, compiled_pdf(document))

    worked_out = units(entries, tell, compile_if_new, while_waiting)
    for question_id, unit in worked_out.items():
        if document_of(question_id, unit).path not in compiled:
            compile_if_new(question_id, unit)
    for path, (digest, content) in compiled.items():
        write_whole(PDFS / path, content)
        stamps[path] = [digest, len(content)]
        tell(f"wrote {shown(PDFS / path)}")
    if compiled:
        write_whole(_STAMPS, json.dumps(stamps, sort_keys=True, indent=1).encode())
    return [PDFS / document_of(question_id, unit).path for question_id, unit in worked_out.items()]


def document_of(question_id: QuestionId, unit: Unit) -> Document:
    """The PDF of one question."""
    from generators.course import load_course
    from generators.page import printed_page

    course = load_course(question_id.course)
    sheet = course.document(question_id.assignment)
    return Document(
        path=f"{question_id.path}.pdf",
        title=f"{course.title}, {sheet.title}: {unit['title']}",
        header=f"{course.title} · {unit['title']}",
        markdown=printed_page(unit, sheet.title, course.title),
        pictures={f"{question_id.page}-{name}.svg": svg for name, svg in unit["figures"].items()},
    )


def _read_stamps() -> dict[str, Any]:
    try:
        stamps = json.loads(_STAMPS.read_bytes())
    except (OSError, ValueError):
        return {}
    return stamps if isinstance(stamps, dict) else {}


def _current(document: Document, stamps: Mapping[str, Any]) -> bool:
    path = PDFS / document.path
    return path.is_file() and stamps.get(document.path) == [document.digest, path.stat().st_size]


def compiled_pdf(document: Document) -> bytes:
    """Compile a document in a folder of its own; whatever pandoc or Typst warn of raises RenderError."""
    with tempfile.TemporaryDirectory(prefix="answers-pdf-") as name:
        folder = Path(name)
        for picture, svg in document.pictures.items():
            (folder / picture).write_text(svg, encoding="utf-8")
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
    body = _pandoc(document.markdown, document.path)
    return env.get_template("_pdf.typ.j2").render(title=document.title, header=document.header, colours=colours, body=body)


def _pandoc(markdown: str, name: str) -> str:
    import pypandoc

    command = [
        pypandoc.get_pandoc_path(),
        "--from=markdown-auto_identifiers-implicit_figures-citations-tex_math_single_backslash",
        "--to=typst",
        f"--lua-filter={TEMPLATES / '_pdf.lua'}",
        "--columns=2000",
        "--wrap=none",
    ]
    done = subprocess.run(command, input=markdown, capture_output=True, text=True, encoding="utf-8", check=False)
    if done.returncode or done.stderr.strip():
        raise RenderError(f"build/pdf/{name}: pandoc: {' '.join(done.stderr.split())}")
    return done.stdout


@lru_cache(maxsize=1)
def _fonts() -> list[str]:
    """Matplotlib's folder of fonts, found without the cost of importing matplotlib."""
    spec = importlib.util.find_spec("matplotlib")
    if spec is None or spec.origin is None:
        raise RenderError("matplotlib is not installed; its fonts are needed for PDFs, run `make install`")
    return [str(Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf")]


def _compiled(source: Path, name: str) -> bytes:
    import typst

    try:
        pdf, warnings = typst.compile_with_warnings(
            str(source),
            root=str(source.parent),
            font_paths=_fonts(),
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


def copy_pdfs(paths: Iterable[Path], target: Path) -> None:
    """Copy PDFs below `target` with the same folders."""
    for path in paths:
        place = target / path.relative_to(PDFS)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
