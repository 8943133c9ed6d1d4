"""Fonts for what a student writes: the one that pictures use, else one of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from generators.errors import ParameterError
from generators.glyphs import lacking


def font_for(text: str, where: str) -> Path | None:
    """A file of a font of this machine that shows all of `text`, or None if the shipped one does.

    Raises ParameterError, at `where`, if none does.
    """
    missing = lacking(text)
    if not missing:
        return None
    for path in _system_fonts():
        if missing <= _characters(path):
            return path
    marks = " ".join(f"U+{ord(mark):04X}" for mark in sorted(missing)[:5])
    raise ParameterError(
        f"{where}: no font of this machine shows {marks}; install one for this script, such as the package fonts-noto-cjk "
        f"for Chinese, Japanese and Korean or fonts-noto-core for others (got {text!r})"
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
