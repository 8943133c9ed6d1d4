"""The command line: python -m generators list | show ID | verify [ID] | site | pdf [ID] | new ID."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from generators.errors import ProjectError
from generators.pipeline.catalog import entries, find, shown

if TYPE_CHECKING:
    from generators.pipeline.schedule import Entries


def tell(line: str) -> None:
    """Progress goes to standard error, so that results can be piped."""
    click.echo(line, err=True)


def chosen(prefix: str | None) -> Entries:
    """All questions, or the one whose id starts with `prefix`."""
    known = entries()
    if prefix is None:
        return known
    question_id = find(prefix, known)
    return {question_id: known[question_id]}


@click.group(help=__doc__)
def main() -> None:
    """Answers, verified and rendered."""


@main.command("list")
def list_questions() -> None:
    """Print every question's id."""
    for question_id in entries():
        click.echo(question_id)


@main.command()
@click.argument("id")
@click.option("--json", "as_json", is_flag=True, help="Print the question's object of answers.json.")
def show(id: str, as_json: bool) -> None:
    """Print one answer with its checks."""
    from generators.pipeline.build import units
    from generators.pipeline.show import as_text, to_json

    (worked,) = units(chosen(id), tell).values()
    click.echo(to_json(worked) if as_json else as_text(worked))


@main.command()
@click.argument("id", required=False)
def verify(id: str | None) -> None:
    """Find every value again; end with status 1 where one is not."""
    from generators.pipeline.build import verify_all

    count = verify_all(chosen(id), tell)
    click.echo(f"{count} values found again")


@main.command()
def site() -> None:
    """Compute, verify, and build PDFs and site/."""
    from generators.pipeline import stamp
    from generators.pipeline.files import refuse_links

    refuse_links()
    if stamp.is_current("site"):
        tell("site/ is up to date")
        return
    from generators.pipeline.site.builder import build_site

    build_site(entries(), tell)


@main.command()
@click.argument("id", required=False)
def pdf(id: str | None) -> None:
    """Compute, verify, and write build/pdf/."""
    from generators.pipeline import stamp

    if id is None and stamp.is_current("pdf"):
        tell("build/pdf/ is up to date")
        return
    from generators.pipeline.pdf.builder import build_pdfs
    from generators.pipeline.pdf.submission import plan

    inputs = stamp.inputs_digest()
    known, wanted = entries(), chosen(id)
    members = [member for ids in plan(known).values() if any(one in wanted for one in ids) for member in ids]
    written, _ = build_pdfs({member: known[member] for member in members}, tell)
    if id is None:
        stamp.finished("pdf", inputs, written)


@main.command()
@click.argument("id")
def new(id: str) -> None:
    """Write a small question COURSE/SLUG that builds, to start from."""
    from generators.pipeline.scaffold import write_question

    for path in write_question(id):
        click.echo(f"wrote {shown(path)}")


def run() -> None:
    """Run the command line; what this project refuses ends with one line and its status."""
    try:
        main(prog_name="python -m generators")
    except ProjectError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_status)
    except OSError as error:
        place = f"{shown(Path(str(error.filename)))}: " if error.filename else ""
        click.echo(f"error: {place}cannot be read or written ({error.strerror or type(error).__name__})", err=True)
        sys.exit(2)


if __name__ == "__main__":
    run()
