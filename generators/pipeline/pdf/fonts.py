"""Fonts for what a student writes: the one that pictures use, else one of this machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from generators.errors import ParameterError
from generators.glyphs import lacking


def font_for(texts: Mapping[str, str | None], where: str) -> Path | None:
    """A file of a font of this machine that shows what the shipped one lacks of all texts, or None if it lacks nothing.

    Raises ParameterError, for the first field of the file `where` that needs it, if there is no such font.
    """
    missing = {field: lacking(text or "") for field, text in texts.items()}
    wanted = frozenset().union(*missing.values())
    if not wanted:
        return None
    for path in _system_fonts():
        if wanted <= _characters(path):
            return path
    field = next(field for field, marks in missing.items() if marks)
    marks = " ".join(f"U+{ord(mark):04X}" for mark in sorted(missing[field])[:5])
    raise ParameterError(
        f"{where}: {field}: must have characters that a font of this machine shows, unlike {marks}; install one for this script, "
        f"such as the package fonts-noto-cjk for Chinese, Japanese and Korean or fonts-noto-core (got {texts[field]!r})"
    )


def _system_fonts() -> Iterator[Path]:
    """Regular ones first: of a family, the file with the shortest name."""
    from matplotlib.font_manager import findSystemFonts

    yield from sorted(map(Path, findSystemFonts()), key=lambda path: (len(path.name), str(path)))


def _characters(path: Path) -> frozenset[str]:
    from fontTools.ttLib import TTCollection, TTFont, TTLibError

    try:
        with path.open("rb") as file:
            collected = file.read(4) == b"ttcf"
            file.seek(0)
            face = TTCollection(file).fonts[0] if collected else TTFont(file)
            return frozenset(map(chr, face.getBestCmap() or ()))
    except (OSError, TTLibError):
        return frozenset()
