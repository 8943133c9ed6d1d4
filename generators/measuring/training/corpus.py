"""The Python files of the running interpreter: its standard library and its installed packages."""

from __future__ import annotations

import random
import sysconfig
from dataclasses import dataclass
from pathlib import Path

MAX_FILE_BYTES = 200_000  # larger files are tables of data, not code
HELD_OUT_EVERY = 100


@dataclass(frozen=True)
class Corpus:
    """Texts to train on and texts held out, in a seeded order, and where they came from."""

    training: list[str]
    held_out: list[str]

    @property
    def facts(self) -> dict[str, int | str]:
        """What a model card says of the data."""
        return {
            "source": "the .py files of the running interpreter's standard library and site-packages",
            "files": len(self.training),
            "files_held_out": len(self.held_out),
            "bytes": sum(len(text.encode()) for text in self.training),
        }


def folders() -> list[Path]:
    """The standard library's folder and the one packages are installed in, without links."""
    paths = sysconfig.get_paths()
    return sorted({Path(paths[name]).resolve() for name in ("stdlib", "purelib", "platlib")})


def python_files(roots: list[Path]) -> list[Path]:
    """Every .py file below the folders, once, in order of its path below its folder."""
    found: dict[Path, str] = {}
    for root in roots:
        for path in root.rglob("*.py"):
            if path.is_file():
                found.setdefault(path.resolve(), path.relative_to(root).as_posix())
    return sorted(found, key=lambda path: (found[path], str(path)))


def read(roots: list[Path] | None = None, *, seed: int = 0, max_bytes: int | None = None) -> Corpus:
    """Read the files in a seeded order until `max_bytes`; every hundredth is held out.

    Files that repeat another, are empty, larger than MAX_FILE_BYTES or not UTF-8 are left out.
    """
    paths = python_files(folders() if roots is None else roots)
    random.Random(seed).shuffle(paths)
    texts: dict[str, None] = {}
    total = 0
    for path in paths:
        if max_bytes is not None and total >= max_bytes:
            break
        text = _text(path)
        if text and text not in texts:
            texts[text] = None
            total += len(text)
    kept = list(texts)
    return Corpus(
        training=[text for number, text in enumerate(kept) if number % HELD_OUT_EVERY],
        held_out=kept[::HELD_OUT_EVERY],
    )


def _text(path: Path) -> str | None:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            return None
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
