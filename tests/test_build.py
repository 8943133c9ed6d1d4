"""What is built again, what a killed build leaves, and that the same parameters give the same bytes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.__main__ import keep_questions
from generators.pipeline.catalog import ROOT, find
from generators.pipeline.kept import load
from generators.pipeline.reads import files_read, imported_packages
from tests.conftest import IDS, SMALL
from tests.project import Project, digests, refused
from tests.soak import SOAK, soak

HW3 = "comp4901y/hw3_q1_arithmetic_intensity"
FINE = "comp4901y/hw4_q1_finetuning_memory"
TREE = "comp4901y/hw4_q2_tree_attention"
SPECULATIVE = "utaustin/lecture25_speculative_decoding"


def steps_run(project: Project, *arguments: str) -> dict[str, set[str]]:
    """Run a command that succeeds; return the steps of each question that it ran."""
    done = project.run(*arguments)
    assert done.returncode == 0, done.stderr
    found: dict[str, set[str]] = {}
    for line in done.stderr.splitlines():
        question_id, _, said = line.partition(": ")
        if said and re.fullmatch(r"[a-z0-9]+/[a-z0-9_]+", question_id):
            steps = {"matched"} if re.match(r"\d+ values", said) else set(said.split(", "))
            found.setdefault(question_id, set()).update(steps)
    return found


def computed(project: Project, *arguments: str) -> list[str]:
    """Run a command that succeeds; return the questions of which it ran any step."""
    return sorted(steps_run(project, *arguments))


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    """Paths whose content differs."""
    return {path for path in before | after if before.get(path) != after.get(path)}


def test_nothing_changed(project: Project) -> None:
    """Neither site nor PDFs are touched."""
    before = digests(project.folder, "site", "build")
    assert computed(project, "site") == []
    assert changed(before, digests(project.folder, "site", "build")) == set()


@pytest.mark.parametrize("question_id", IDS)
def test_what_is_kept_is_read_again_whole(built: Project, question_id: str) -> None:
    """A step whose content does not survive JSON would run in every build."""
    assert load(built.path(f"build/units/{question_id}.json")).keys() == built.made(question_id).keys()


def test_a_changed_parameter(project: Project) -> None:
    """Only its question is computed again, and only its PDF and page change, besides what lists all answers."""
    units, kept = digests(project.folder, "build/units"), project.kept()
    project.replace("generators/courses/comp4901y/params.yml", "  seq_len: 4096\n", "  seq_len: 2048\n")
    assert computed(project, "site") == [HW3]
    assert changed(units, digests(project.folder, "build/units")) == {f"build/units/{HW3}.json"}
    again = changed(kept, project.kept())
    assert {path for path in again if path.endswith(".pdf")} == {
        "build/pdf/comp4901y/hw3/question1.pdf", "site/answers/comp4901y/hw3/question1.pdf",
    }  # fmt: skip
    pages = {path for path in again if path.endswith(".html")} - {"site/index.html", "site/checks.html"}
    assert pages == {"site/answers/comp4901y/hw3/question1.html"}
    assert {path for path in again if path.endswith(".variants.js")} == {"site/answers/comp4901y/hw3/question1.variants.js"}
    assert "site/answers.json" in again


def test_other_readings_are_left_to_the_site(project: Project) -> None:
    """PDFs show none; the site that is built after them has their pages with the new words."""
    project.replace(f"templates/{TREE}.md.j2", "adds no tokens, so", "adds none, so")
    before = project.made(TREE)["variants"]
    assert computed(project, "pdf") == [TREE]
    assert project.made(TREE)["variants"] == before
    assert computed(project, "site") == []
    assert "adds none, so" in project.path("site/answers/comp4901y/hw4/question2.variants.js").read_text(encoding="utf-8")


def test_a_changed_title_stands_in_the_navigation_of_every_page(project: Project) -> None:
    """What mkdocs puts around a page that did not change is kept only while the navigation is the same."""
    project.replace("generators/courses/comp4901y/hw3_q1_arithmetic_intensity/__init__.py", 'title="', 'title="Zebra: ')
    assert computed(project, "site") == [HW3]
    pages = list(project.path("site/answers").rglob("*.html"))
    assert len(pages) > 2
    assert all("Zebra: " in page.read_text(encoding="utf-8") for page in pages)


def test_what_was_found_is_kept_when_the_site_cannot_be_made(project: Project) -> None:
    """A page by hand with a link that leads nowhere; once it is mended no question is worked out anew."""
    project.replace("generators/courses/comp4901y/params.yml", "  seq_len: 4096\n", "  seq_len: 2048\n")
    text = project.path("docs/index.md").read_text(encoding="utf-8")
    project.path("docs/index.md").write_text(f"{text}\n[nowhere](nowhere.md)\n", encoding="utf-8")
    assert refused(project, "site").startswith("mkdocs: ")
    project.path("docs/index.md").write_text(text, encoding="utf-8")
    assert computed(project, "site") == []


def test_a_reading_that_fails_leaves_site_and_pdfs(project: Project) -> None:
    """Its page is made last; the next good build has it."""
    before, drawing = project.kept(), f"generators/courses/{HW3}/draw.py"
    code = project.path(drawing).read_text(encoding="utf-8")
    end = '"""The rooflines of the accelerators, where the elements are those of the makers\' peaks."""\n'
    project.replace(drawing, end, f'{end}    1 / (answer["sheet/element"].value != "FP32")\n')
    assert "the variant “An element takes 4 bytes” failed: ZeroDivisionError" in refused(project, "site")
    assert project.kept() == before
    project.path(drawing).write_text(code, encoding="utf-8")
    assert steps_run(project, "site") == {HW3: {"drawn", "rendered"}}
    assert project.kept() == before
    assert project.path("docs/answers/comp4901y/hw3/question1.variants.js").is_file()


def test_what_each_step_reads() -> None:
    """No solver reads what only writes pages. A page that follows changes holds how its solver works, any other does not."""
    assert ROOT / "generators/pipeline/site/page.py" not in files_read(find(HW3)).solve
    follows, stays = (files_read(find(name)) for name in (HW3, "comp4901y/hw3_q2_beam_search"))
    assert ROOT / f"generators/courses/{HW3}/solve.py" in follows.render
    assert ROOT / "generators/courses/comp4901y/hw3_q2_beam_search/solve.py" not in stays.render


def test_a_draft_converts_the_page_that_changed_alone(project: Project) -> None:
    """Though its variants are not made yet, so that their files are gone."""
    project.replace(f"templates/{TREE}.md.j2", "adds no tokens, so", "adds none, so")
    code = """
from generators.pipeline.live.drafts import build_drafts
from generators.pipeline.site import kept_pages
convert, made = kept_pages._converted, []
kept_pages._converted = lambda *facts: made.append(facts[-2].url) or convert(*facts)
build_drafts(lambda text: None)
print(made)
"""
    done = project.run("-c", code)
    assert done.stdout == "['answers/comp4901y/hw4/question2.html']\n", done.stderr


def test_processes_fork_before_pages_are_printed(project: Project) -> None:
    """A process that forks while a thread imports a module would wait for that module for ever."""
    project.replace("generators/courses/comp4901y/params.yml", "  seq_len: 4096\n", "  seq_len: 2048\n")
    code = """
import multiprocessing
from generators.pipeline.build import Hooks, units
from generators.pipeline.catalog import entries
units(entries(), print, Hooks(lambda worked: print(worked.question_id, len(multiprocessing.active_children()) > 0)))
"""
    told = project.run("-c", code).stdout.splitlines()
    assert {f"{one} True" for one in (HW3, TREE, SPECULATIVE)} <= set(told)


def test_a_comment_in_the_parameters(project: Project) -> None:
    """What parameters mean is compared, not how they are written."""
    units, kept = digests(project.folder, "build/units"), project.kept()
    project.replace("generators/courses/comp4901y/params.yml", "  seq_len: 4096\n", "  seq_len:   4096   # again\n")
    assert computed(project, "site") == []
    assert changed(units, digests(project.folder, "build/units")) == set()
    assert changed(kept, project.kept()) == set()


TREE_PACKAGE = f"generators/courses/{TREE}"


@pytest.mark.parametrize(
    ("path", "old", "new", "steps"),
    [
        (f"templates/{TREE}.md.j2", "Candidate continuations can", "Continuations can", {"rendered"}),
        (f"{TREE_PACKAGE}/draw.py", '"""Draws each tree', '"""Draws every tree', {"drawn", "rendered"}),
        (f"{TREE_PACKAGE}/find.py", '"""Finds trees', '"""Finds all trees', {"matched"}),
        (f"{TREE_PACKAGE}/solve.py", '"""Merges candidates', '"""Merges all candidates', {"solved"}),
        ("generators/topics/prefix_tree.py", '"""A tree of tokens', '"""The tree of tokens', {"solved"}),
    ],
)
def test_a_step_runs_when_what_it_reads_changed(project: Project, path: str, old: str, new: str, steps: set[str]) -> None:
    """Words of a template run no solver; code of the solver that gives the same answer runs nothing else."""
    units = digests(project.folder, "build/units")
    project.replace(path, old, new)
    ran = steps_run(project, "pdf")
    assert ran[TREE] == steps
    assert ran.keys() < {HW3, TREE, SPECULATIVE}
    assert changed(units, digests(project.folder, "build/units")) == {f"build/units/{one}.json" for one in ran}
    assert computed(project, "pdf") == []


def test_a_changed_recording_is_matched_again(project: Project) -> None:
    """An answer never stands beside findings of another one."""
    project.replace("generators/courses/comp4901y/recordings/hw4_q2_tree_batch.cuda.json", '"2.11.0"', '"2.11.1"')
    assert steps_run(project, "pdf")[TREE] == {"solved", "drawn", "rendered", "matched"}


def test_a_kept_value_that_was_changed(project: Project) -> None:
    """A value changed inside whole JSON is not published: the step runs again."""
    before = project.kept()
    project.replace(f"build/units/{TREE}.json", '"exact": "8/21"', '"exact": "9/21"')
    project.path("build/site.stamp.json").unlink()
    assert computed(project, "site") == [TREE]
    assert project.kept() == before


def read(question_id: str) -> set[str]:
    return {path.relative_to(ROOT).as_posix() for path in files_read(find(question_id)).all()}


def test_what_a_question_reads() -> None:
    """Its package, topic, oracle, figures, template with the layout it extends, and the versions of packages."""
    assert {
        f"generators/courses/{HW3}/__init__.py",
        f"generators/courses/{HW3}/params.py",
        f"generators/courses/{HW3}/solve.py",
        f"generators/courses/{HW3}/find.py",
        f"generators/courses/{HW3}/draw.py",
        "generators/topics/roofline.py",
        f"generators/courses/{HW3}/torch_forms.py",
        "generators/oracles/products.py",
        "generators/figures/style.py",
        "generators/answer.py",
        "generators/pipeline/typeset.py",
        "generators/pipeline/render.py",
        f"templates/{HW3}.md.j2",
        "templates/_question.md.j2",
        "requirements.lock",
    } <= read(HW3)


def test_what_a_question_does_not_read() -> None:
    """Neither another question's files nor what only writes pages."""
    paths = read(HW3)
    others = {"generators/topics/peft.py", "generators/pipeline/site/builder.py"}
    assert not others & paths
    assert not {path for path in paths if "hw4" in path}


def test_slow_packages_are_seen_without_importing() -> None:
    """Imports inside functions count too."""
    assert "torch" in imported_packages(find(HW3))
    assert {"torch", "peft"} <= imported_packages(find(FINE))
    assert "peft" not in imported_packages(find(TREE))


@pytest.mark.parametrize(
    "name", ["site/answers/comp4901y/hw4/question2.html", "site/answers.json", "build/pdf/comp4901y/hw3/question1.pdf"]
)
def test_a_deleted_file_is_built_again(project: Project, name: str) -> None:
    """It comes back with the same bytes, and nothing is computed for it."""
    before = project.kept()
    project.path(name).unlink()
    assert computed(project, "site") == []
    assert project.kept() == before


def test_a_changed_file_is_built_again(project: Project) -> None:
    """What someone else wrote into site/ does not stay, nor a PDF of the right size with other bytes."""
    before = project.kept()
    project.path("site/index.html").write_text("mine", encoding="utf-8")
    path = project.path("build/pdf/comp4901y/hw3/question1.pdf")
    whole = path.read_bytes()
    path.write_bytes(whole[:5000] + b"%%%%" + whole[5004:])
    assert computed(project, "site") == []
    assert project.kept() == before


def test_a_changed_schema_is_published(project: Project) -> None:
    """Files of docs/ whose names begin as those that a build makes there are read too."""
    schema = project.path("docs/answers.schema.json")
    schema.write_text(schema.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert computed(project, "site") == []
    assert project.path("site/answers.schema.json").read_bytes() == schema.read_bytes()


@soak
def test_two_builds_from_scratch_give_the_same_bytes(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Site, PDFs and answers.json do not depend on the folder, the date, the locale, or the order of sets."""
    for name, value in {"SOURCE_DATE_EPOCH": "86400", "TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONHASHSEED": "7"}.items():
        monkeypatch.setenv(name, value)
    one: Project = request.getfixturevalue("built" if SOAK else "small")
    other = Project.unbuilt(tmp_path / "another folder")
    if not SOAK:
        keep_questions(other.folder, SMALL)
    assert len(computed(other, "site")) == len(one.run("list").stdout.splitlines())
    assert changed(one.kept(), other.kept()) == set()


@pytest.mark.parametrize("content", ["{", "{}", '{"read": {}}', "[]", "\\x00"])
def test_a_kept_answer_that_is_none(tmp_path: Path, content: str) -> None:
    """Whatever stands there instead, nothing is taken from it."""
    place = tmp_path / "unit.json"
    place.write_text(content, encoding="utf-8")
    assert load(place) == {}
