"""What a student hands in: whose it is and which question stands on every page, and it needs nothing but itself."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from pypdf import PdfReader

from generators.pipeline.catalog import ROOT, entries
from generators.pipeline.course import load_course, sheet_of
from generators.pipeline.pdf.submission import pdf_path
from tests.project import Project

HANDED_IN = sorted({pdf_path(one) for one in entries() if sheet_of(one).medium == "handed_in"})
PAGES = {
    "comp4901y/hw3/question1.pdf": 4, "comp4901y/hw3/question2.pdf": 1, "comp4901y/hw3/question3.pdf": 4,
    "comp4901y/hw4/question1.pdf": 3, "comp4901y/hw4/question2.pdf": 4, "comp4901y/hw4/question3.pdf": 2,
    "ift6135/a2/theory.pdf": 11,
}  # fmt: skip
"""How many pages a grader reads at most."""

TREE, THEORY = "comp4901y/hw4/question2.pdf", "ift6135/a2/theory.pdf"
NAME = 'Zoë "Žižek" <i> Wolfeschlegelsteinhausenbergerdorffwelchevoralternwarengewissenhaftschaferswessen'
SIGNED = {"name": NAME, "student_id": "007", "signature": "Z. Ž.", "agreement": ["I, the undersigned.", "Second paragraph."]}


@cache
def pages(project: Project, name: str) -> list[str]:
    """The text of each page without what breaks long words, in single spaces."""
    reader = PdfReader(project.path(f"build/pdf/{name}"))
    return [" ".join(page.extract_text().replace("\u200b", "").split()) for page in reader.pages]


@pytest.fixture(scope="module")
def signed(built: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project of a student who has filled in everything, with every part of the assignment on a page of its own."""
    project = built.copy(tmp_path_factory.mktemp("signed"))
    project.path("student.yml").write_text(yaml.safe_dump(SIGNED, allow_unicode=True), encoding="utf-8")
    project.replace("generators/courses/ift6135/course.yml", "    agreement:\n", "    parts_on_own_pages: true\n    agreement:\n")
    for question in ("comp4901y/hw4_q2", "ift6135/a2_q1"):
        done = project.run("pdf", question)
        assert done.returncode == 0, done.stderr
    return project


def test_the_files_are_those_that_are_asked_for() -> None:
    assert set(HANDED_IN) == set(PAGES)


@pytest.mark.parametrize("name", HANDED_IN)
def test_a_file_keeps_within_its_pages(built: Project, name: str) -> None:
    """A grader has two minutes for each question."""
    assert len(pages(built, name)) <= PAGES[name]


@pytest.mark.parametrize("name", HANDED_IN)
def test_a_file_refers_to_nothing_outside(built: Project, name: str) -> None:
    """Neither other courses nor the keys of parameters nor the sections that only the site has."""
    text = " ".join(pages(built, name))
    own = name.split("/", 1)[0]
    others = {load_course(one.course).title for one in entries() if one.course != own}
    for words in (*others, "conventions.", "params.yml", "What it means", "found again", "None"):
        assert words not in text


@pytest.mark.parametrize("name", HANDED_IN)
def test_every_page_says_which_question_it_answers(built: Project, name: str) -> None:
    """In the heading and at the top of each page that follows."""
    number = "0"
    for page in pages(built, name):
        opened = re.findall(r"Question (\d)\. ", page)
        assert len(set(opened)) == 1 or page.count("Agreement") == 2
        number = opened[0] if opened else number
    if name.startswith("comp4901y/"):
        assert number == name[-5]


@pytest.mark.parametrize("name", [TREE, THEORY])
def test_every_page_names_the_student(signed: Project, name: str) -> None:
    """A long name breaks over lines, and characters that mean something elsewhere stand as they are."""
    for page in pages(signed, name):
        assert "".join(f"{NAME}, 007".split()) in "".join(page.split())


def test_nothing_is_named_where_nothing_is_given(built: Project) -> None:
    assert "007" not in pages(built, TREE)[0]
    assert "____" in pages(built, THEORY)[0]


def test_the_form_is_the_one_that_the_course_wants(signed: Project) -> None:
    """Its exact text and the labels of its lines."""
    page = pages(signed, THEORY)[0]
    assert "I, the undersigned. Second paragraph." in page
    assert "UdeM Student ID 007" in page
    assert "I have read" not in page


def test_parts_on_pages_of_their_own(signed: Project) -> None:
    """No page holds the headings of two parts."""
    for page in pages(signed, THEORY)[1:]:
        assert len(re.findall(r"\b\d\.\d[a-z]? [A-Z]\w+.{0,60}? Answer ", page)) <= 1


def launches(project: Project, question_id: str, folder: Path) -> list[list[str]]:
    """What the printed commands of a question, run by a shell, start: module and arguments of each launch."""
    folder.mkdir()
    stub = folder / "python"
    stub.write_text(f"#!/bin/sh\nfor word; do printf '%s\\0' \"$word\"; done >> {folder}/words\nprintf '\\n' >> {folder}/words\n")
    stub.chmod(0o755)
    blocks = re.findall(r"(?:^    .*\n)+", project.made(question_id)["render"]["pdf"], flags=re.MULTILINE)
    for block in blocks:
        if "python -m" in block:
            subprocess.run(["bash", "-ec", block], env={"PATH": f"{folder}:/usr/bin:/bin"}, check=True)
    return [line.split("\0")[1:-1] for line in (folder / "words").read_text().splitlines()]


RECORDS = "generators.measuring.measure_all"
QUICK = {
    "generators.measuring.hw3_generate": ["--hf_model_name", "TARGET", "--output_len", "2"],
    "generators.measuring.hw4_speculative": ["--target", "TARGET", "--assistant", "DRAFT", "--max_new_tokens", "2"],
}
"""What is said behind the printed arguments, where the last word counts: small models and few tokens."""


@pytest.mark.parametrize(
    ("question_id", "count", "recordings"),
    [
        ("comp4901y/hw3_q3_generation", 1 + 4 + 3 + 3 + 4, []),  # the default, four loops
        ("comp4901y/hw4_q3_speculative_decoding", 1, ["hw4_q3_program", "hw4_q3_program"]),  # the program; on both devices
    ],
)
def test_printed_commands_can_be_pasted(
    built: Project,
    tmp_path: Path,
    tiny_models: tuple[Path, Path],
    capsys: pytest.CaptureFixture[str],
    question_id: str,
    count: int,
    recordings: list[str],
) -> None:
    """A shell reads them as they stand, models that they name by a folder are there, and the programs take their arguments."""
    found = launches(built, question_id, tmp_path / "stub")
    assert len(found) == count + len(recordings)
    models = dict(zip(("TARGET", "DRAFT"), map(str, tiny_models), strict=True))
    recorded = [arguments for module, *arguments in found if module == RECORDS]
    for arguments in recorded[:1]:
        small = ["--device", "cpu", "--small", "--out", str(tmp_path), "--models", *models.values()]
        import_module(RECORDS).main([*arguments, *small])
        assert (tmp_path / f"{arguments[-1]}.cpu.json").is_file()
    assert [arguments[-1] for arguments in recorded] == recordings
    for module, *arguments in (one for one in found if one[0] != RECORDS):
        for word in arguments:
            assert not word.startswith("models/") or (ROOT / word).is_dir()
        quick = [models.get(word, word) for word in QUICK[module]]
        import_module(module).main([*arguments, *quick, "--device", "cpu", "--runs", "1", "--warmup", "0"])
        assert "runs" in capsys.readouterr().out


def font_of(character: str, path: Path) -> None:
    """Write a font that has one character besides the blank, drawn as a square."""
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((0, 500), (500, 500), (500, 0)):
        pen.lineTo(corner)
    pen.closePath()
    font = FontBuilder(1000, isTTF=True)
    font.setupGlyphOrder([".notdef", "one"])
    font.setupCharacterMap({ord(character): "one"})
    font.setupGlyf({".notdef": pen.glyph(), "one": pen.glyph()})
    font.setupHorizontalMetrics({".notdef": (600, 0), "one": (600, 0)})
    font.setupHorizontalHeader(ascent=800, descent=-200)
    font.setupNameTable({"familyName": "One", "styleName": "Regular"})
    font.setupOS2()
    font.setupPost()
    path.parent.mkdir(parents=True)
    font.save(path)


def test_a_name_that_the_shipped_font_lacks(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused with what to install; printed once a font of the machine has it."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    project.path("student.yml").write_text("name: 龘\n", encoding="utf-8")
    refused = project.run("pdf", "comp4901y/hw4_q2")
    assert refused.returncode == 2
    assert refused.stderr.startswith(
        "error: student.yml: name: must have characters that a font of this machine shows, unlike U+9F98; install"
    )
    assert len(refused.stderr.strip().splitlines()) == 1
    font_of("龘", tmp_path / "share" / "fonts" / "one.ttf")
    done = project.run("pdf", "comp4901y/hw4_q2")
    assert done.returncode == 0, done.stderr
    assert "龘" in pages(project, TREE)[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: 12\n", "name: must be "),
        ("student_id: 12345\n", "student_id: must be written in quotes"),
        ("student_id: 012345\n", "line 1, column 13: a number must be decimal"),
        ('name: "a\\u0007"\n', "line 1, column 7: control characters are not allowed (got U+0007)"),
        ('name: " "\n', "name: must be one line of visible characters"),
        ("agreement: []\n", "agreement: "),
        ("agreed: true\n", "agreed: "),
    ],
)
def test_a_wrong_student_file_is_refused(project: Project, text: str, message: str) -> None:
    """In one line that names file, field and rule, before anything is written."""
    project.path("student.yml").write_text(text, encoding="utf-8")
    done = project.run("pdf")
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1)
    assert done.stderr.startswith(f"error: student.yml: {message}")
