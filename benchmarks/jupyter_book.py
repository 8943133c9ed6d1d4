"""Jupyter Book 1 in the same states: ten pages that compute a table and a plot each, installed in an environment of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

PAGES = 10
_PACKAGES = ("jupyter-book==1.0.4.post1", "matplotlib", "ipykernel")
_PAGE = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  name: python3
  display_name: Python 3
---
# Products of {number} rows

Words of the page.

```{{code-cell}}
from IPython.display import Markdown
import matplotlib.pyplot as plt
rows = [(m, 2 * m * {number} * 128, 2 * (m * {number} + {number} * 128 + m * 128)) for m in range(1, 21)]
Markdown("| m | FLOPs | bytes |\\n|---|---|---|\\n" + "\\n".join(f"| {{a}} | {{b}} | {{c}} |" for a, b, c in rows))
```

```{{code-cell}}
plt.plot([m for m, _, _ in rows], [flops / moved for _, flops, moved in rows]);
```
"""


def installed(folder: Path) -> Path | None:
    """The command `jupyter-book` in an environment below `folder`, which pip makes once; None where it cannot be had."""
    place = folder / "jupyter-book"
    command = place / "bin" / "jupyter-book"
    if not command.is_file():
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        pip = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *_PACKAGES]
        if subprocess.run(pip, check=False).returncode:
            shutil.rmtree(place)
            return None
    return command


def write_book(folder: Path) -> None:
    """Ten pages, and settings that keep what was executed."""
    folder.mkdir(parents=True)
    names = [f"page{number}" for number in range(1, PAGES + 1)]
    for number, name in enumerate(names, 1):
        (folder / f"{name}.md").write_text(_PAGE.format(number=number), encoding="utf-8")
    chapters = "".join(f"- file: {name}\n" for name in names[1:])
    (folder / "_toc.yml").write_text(f"format: jb-book\nroot: {names[0]}\nchapters:\n{chapters}", encoding="utf-8")
    (folder / "_config.yml").write_text("title: Book\nexecute:\n  execute_notebooks: cache\n", encoding="utf-8")


def cold(folder: Path) -> None:
    """Remove everything built."""
    shutil.rmtree(folder / "_build", ignore_errors=True)


def a_word(folder: Path) -> None:
    """Change a word of one page."""
    _replace(folder, "Words", "Words, and words")


def a_parameter(folder: Path) -> None:
    """Change a number that one page computes with."""
    _replace(folder, "* m *", "* 1 * m *")


def _replace(folder: Path, old: str, new: str) -> None:
    page = folder / "page2.md"
    page.write_text(page.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")


STATES: dict[str, Callable[[Path], None]] = {
    "cold": cold,
    "nothing changed": lambda folder: None,
    "a word in a page": a_word,
    "one parameter": a_parameter,
}


def measured(command: Path, folder: Path, runs: int, before: Callable[[Path], None]) -> list[float]:
    """Seconds of each build of the book, after one that is not counted."""
    samples = []
    for _ in range(runs + 1):
        before(folder)
        start = time.perf_counter()
        subprocess.run([str(command), "build", str(folder)], check=True, capture_output=True)
        samples.append(round(time.perf_counter() - start, 3))
    return samples[1:]
