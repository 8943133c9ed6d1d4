"""Writes a small question that builds and is green, for a new one to start from."""

from __future__ import annotations

import re
from pathlib import Path

from generators.errors import UnknownQuestion
from generators.pipeline.catalog import COURSES, ROOT, TEMPLATES, document_of, read_mapping
from generators.pipeline.files import write_whole

_ID = re.compile(r"(?P<course>[a-z][a-z0-9]*)/(?P<slug>(?P<document>[a-z][a-z0-9]*)_(?:q[0-9]+_)?(?P<noun>[a-z][a-z0-9_]*))")
_COURSE = "title: {course}\ninstitution: {course}\ndocuments:\n"
_DOCUMENT = "  {document}:\n    title: {document}\n    kind: homework\n    source: {course}, {document}\n"


def write_question(name: str) -> list[Path]:
    """Write package, entry, template and test of `course/slug`, and what `course.yml` lacks; return what was written.

    A name that is no slug, or one that exists, raises UnknownQuestion before anything is written.
    """
    parts = _ID.fullmatch(name)
    if parts is None:
        raise UnknownQuestion(f"{name}: must be COURSE/DOCUMENT_qNUMBER_NOUN or COURSE/DOCUMENT_NOUN, as in course/lab1_q1_pairs")
    course, slug = parts["course"], parts["slug"]
    package, test = COURSES / course / slug, ROOT / "tests" / course / f"test_{slug}.py"
    template = TEMPLATES / course / f"{slug}.md.j2"
    for path in (package, template, test):
        if path.exists():
            raise UnknownQuestion(f"{name}: exists ({path.relative_to(ROOT)})")
    if (COURSES / course / "params.yml").exists():
        read_mapping(COURSES / course / "params.yml")  # a bad file is refused before anything is written
    written = [_declared(course, slug, parts["document"]), _entered(course, slug)]
    places = {f"{name}.py": package / f"{name}.py" for name in ("__init__", "params", "solve", "find")}
    places |= {"page.md.j2": template, "test.py": test}
    for source, place in places.items():
        text = (TEMPLATES / "_new" / f"{source}.txt").read_text(encoding="utf-8")
        noun = parts["noun"].replace("_", " ")
        marks = {
            "COURSE": course,
            "SLUG": slug,
            "TITLE": noun.capitalize(),
            "NounParams": f"{noun.title().replace(' ', '')}Params",
        }
        for mark, value in marks.items():
            text = text.replace(mark, value)
        write_whole(place, text.encode())
        written.append(place)
    for folder in (COURSES / course, test.parent):
        path = folder / "__init__.py"
        if not path.exists():
            write_whole(path, f'"""{course}."""\n'.encode())
            written.append(path)
    return written


def _declared(course: str, slug: str, document: str) -> Path:
    """`course.yml` with the document, which is added at its end where it is missing."""
    path = COURSES / course / "course.yml"
    text = path.read_text(encoding="utf-8") if path.exists() else _COURSE.format(course=course)
    if not path.exists() or document_of(course, slug) is None:
        write_whole(path, (text + _DOCUMENT.format(course=course, document=document)).encode())
    return path


def _entered(course: str, slug: str) -> Path:
    """`params.yml` with the entry at its end."""
    path = COURSES / course / "params.yml"
    text = path.read_text(encoding="utf-8") + "\n" if path.exists() else ""
    write_whole(path, f"{text}{slug}:\n  n_tokens: 3\n".encode())
    return path
