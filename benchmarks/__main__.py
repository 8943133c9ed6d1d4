"""What `make bench` runs: medians of several builds, cold, with nothing, a word or a parameter changed, site and PDF apart."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import yaml

from benchmarks import jupyter_book
from benchmarks.live import until_shown

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results.jsonl"
_COPIED = ("generators", "templates", "docs", "CHANGELOG.md", "mkdocs.yml", "pyproject.toml", "requirements.lock")
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "answers")


def seconds(folder: Path, command: str) -> float:
    """Wall-clock seconds of one command of the project in `folder`."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "generators", command], cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - start


def copy_project(folder: Path) -> None:
    """Copy what a build reads, without anything built."""
    for name in _COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=_LEFT_OUT)
        else:
            shutil.copyfile(source, folder / name)


def keep_questions(folder: Path, prefixes: Sequence[str]) -> None:
    """Leave only the questions whose ids start with one of the prefixes."""
    for params in folder.glob("generators/courses/*/params.yml"):
        entries = yaml.safe_load(params.read_text(encoding="utf-8"))
        kept = {slug: entry for slug, entry in entries.items() if f"{params.parent.name}/{slug}".startswith(tuple(prefixes))}
        for slug in entries.keys() - kept.keys():
            place = params.parent / slug
            if place.is_dir():
                shutil.rmtree(place)
            else:
                place.with_suffix(".py").unlink()
        params.write_text(yaml.safe_dump(kept, sort_keys=False), encoding="utf-8")
        if not kept:
            params.unlink()
            (params.parent / "course.yml").unlink()


def clear(folder: Path) -> None:
    """Remove everything built."""
    for name in ("build", "site", "docs/answers"):
        shutil.rmtree(folder / name, ignore_errors=True)


def measured(folder: Path, command: str, runs: int, before: Callable[[Path], None] = lambda folder: None) -> list[float]:
    """Seconds of each run, after one run that is not counted."""
    samples = []
    for _ in range(runs + 1):
        before(folder)
        samples.append(round(seconds(folder, command), 3))
    return samples[1:]


def a_word(folder: Path) -> None:
    """Change a word in a template, another each time."""
    path = next((folder / "templates").glob("comp4901y/hw3_q1_*.md.j2"))
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("{% block meaning %}\n", "{% block meaning %}\nIndeed. "), encoding="utf-8")


def a_parameter(folder: Path) -> None:
    """Raise the number of input tokens of homework 3, question 1, by one."""
    path = folder / "generators" / "courses" / "comp4901y" / "params.yml"
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    entries["hw3_q1_arithmetic_intensity"]["seq_len"] += 1
    path.write_text(yaml.safe_dump(entries, allow_unicode=True, sort_keys=False), encoding="utf-8")


STATES: dict[str, Callable[[Path], None]] = {
    "cold": clear,
    "nothing changed": lambda folder: None,
    "a word in a template": a_word,
    "one parameter": a_parameter,
}

HW3 = "answers/comp4901y/hw3/question1.html"
LIVE = (("a word in a template", HW3, a_word), ("one parameter", HW3, a_parameter))
"""What is saved while `serve` runs, and the page that then changes."""


def machine() -> str:
    """What the numbers were measured on."""
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


def note(record: dict[str, object], name: str, samples: list[float]) -> None:
    """Keep the samples with their median, and print them."""
    record[name] = {"median_s": statistics.median(samples), "samples_s": samples}
    print(f"{name}: median {statistics.median(samples):.2f} s of {samples}", flush=True)


def main(arguments: Sequence[str]) -> None:
    """Measure, print medians, and with --keep append them to results.jsonl."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", nargs="+", default=[""], metavar="ID", help="prefixes of the questions to build")
    parser.add_argument("--keep", action="store_true", help=f"append to {RESULTS.relative_to(ROOT)}")
    options = parser.parse_args(arguments)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # with it, each run would compile all modules again
    record: dict[str, object] = {"date": datetime.date.today().isoformat(), "machine": machine(), "runs": options.runs}
    with tempfile.TemporaryDirectory(prefix="answers-bench-") as name:
        folder = Path(name)
        copy_project(folder)
        keep_questions(folder, options.only)
        for command in ("site", "pdf"):
            for state, before in STATES.items():
                note(record, f"{command}, {state}", measured(folder, command, options.runs, before))
        for state, page, change in LIVE:
            note(record, f"serve, {state}", until_shown(folder, page, change, options.runs))
        book, builds_books = folder / "book", jupyter_book.installed(ROOT / "build")
        if builds_books:
            jupyter_book.write_book(book)
            for state, before in jupyter_book.STATES.items():
                note(record, f"jupyter-book, {state}", jupyter_book.measured(builds_books, book, options.runs, before))
        else:
            print("Jupyter Book 1 cannot be installed here, and is left out", flush=True)
        listed = subprocess.run(
            [sys.executable, "-m", "generators", "list"], cwd=folder, capture_output=True, text=True, check=True
        )
        record["questions"] = len(listed.stdout.splitlines())
    if options.keep:
        with RESULTS.open("a", encoding="utf-8") as results:
            results.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
