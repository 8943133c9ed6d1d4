"""Keeps what each step of a question made, and takes it again only whole and only for the same key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generators.pipeline.catalog import ROOT, QuestionId
from generators.pipeline.digest import digest_of
from generators.pipeline.files import write_whole

BUILD = ROOT / "build"
UNITS = BUILD / "units"


@dataclass(frozen=True)
class Section:
    """What a step made, and the key it was made for."""

    key: str
    content: Any

    @property
    def digest(self) -> str:
        """Of key and content, so that a damaged file or another question's is noticed."""
        return digest_of([self.key, self.content])


Sections = Mapping[str, Section]


def path_of(question_id: QuestionId) -> Path:
    """Where a question's sections lie."""
    return UNITS / f"{question_id}.json"


def load(path: Path) -> dict[str, Section]:
    """The sections kept in a file; one that is damaged is left out."""
    try:
        held = json.loads(path.read_bytes())
        sections = {step: (Section(one["key"], one["content"]), one["digest"]) for step, one in held.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    return {step: section for step, (section, digest) in sections.items() if section.digest == digest}


def keep(path: Path, sections: Sections) -> None:
    """Write the sections, whole or not at all."""
    held = {step: {"key": one.key, "content": one.content, "digest": one.digest} for step, one in sorted(sections.items())}
    write_whole(path, json.dumps(held, ensure_ascii=False).encode())


def current(section: Section | None, key: str) -> Section | None:
    """What was kept, if it was made for this key."""
    return section if section is not None and section.key == key else None
