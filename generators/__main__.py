"""Course answers that are computed, found again by a second route, and rendered to a site and PDFs.

An ID may be shortened to any beginning; for list, verify and pdf it then means every question that begins so.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
import tomllib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from generators.errors import ProjectError
from generators.pipeline.catalog import ROOT, entries, find, find_all, shown

if TYPE_CHECKING:
    from generators.pipeline.catalog import QuestionId
    from generators.pipeline.diff.changes import Change
    from generators.pipeline.schedule import Entries

_COMPLETE = "_ANSWERS_COMPLETE"
"""Set by a shell that asks the command `answers` how a word may end."""


def tell(line: str) -> None:
    """Progress goes to standard error, so that results can be piped."""
    click.echo(line, err=True)


def chosen(prefix: str | None) -> Entries:
    """All questions, or those whose ids start with `prefix`."""
    known = entries()
    return known if prefix is None else {one: known[one] for one in find_all(prefix, known)}


def _ids(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """How an id that was begun may end, for the shell."""
    from generators.pipeline.reads import title

    return [CompletionItem(str(one), help=title(one)) for one in entries() if str(one).startswith(begun)]


def _version() -> str:
    version: str = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    return version


def _build(command: str, folder: str, work: Callable[[], None], *, wait: bool) -> None:
    """Do what has to be done, alone in the project's folder, unless all is up to date."""
    from generators.pipeline import stamp

    if not stamp.is_current(command):
        from generators.pipeline.lock import alone

        with alone(command, tell, wait=wait):
            if not stamp.is_current(command):  # another command may have done it meanwhile
                work()
                return
    tell(f"{folder} is up to date")


may_wait = click.option("--no-wait", "wait", flag_value=False, default=True, help="Refuse where another command works here.")
one_id = click.argument("id", shell_complete=_ids)
any_ids = click.argument("id", required=False, shell_complete=_ids)


@click.group(help=__doc__)
@click.version_option(_version(), message="%(version)s")
def main() -> None:
    """Answers, verified and rendered."""


@main.command("list")
@any_ids
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
def list_questions(id: str | None, as_json: bool) -> None:
    """Print ids and titles."""
    from generators.pipeline.reads import title

    ids = list(chosen(id))
    if as_json:
        click.echo(json.dumps([_listed(one, title(one)) for one in ids], ensure_ascii=False, indent=1))
        return
    width = max((len(str(one)) for one in ids), default=0)
    for one in ids:
        click.echo(f"{one!s:{width}}  {title(one)}")


def _listed(one: QuestionId, title: str) -> dict[str, str | int | None]:
    return {"id": str(one), "course": one.course, "document": one.document, "number": one.number, "title": title}


@main.command()
@one_id
@may_wait
@click.option("--json", "as_json", is_flag=True, help="Print the question's object of answers.json.")
def show(id: str, as_json: bool, wait: bool) -> None:
    """Print one answer with its checks."""
    from generators.pipeline.build import units
    from generators.pipeline.lock import alone
    from generators.pipeline.show import as_text, to_json

    question_id = find(id)
    with alone(f"show {question_id}", tell, wait=wait):
        (worked,) = units({question_id: entries()[question_id]}, tell).values()
    click.echo(to_json(worked) if as_json else as_text(worked))


@main.command()
@any_ids
def verify(id: str | None) -> None:
    """Find every value again; end with status 1 where one is not."""
    from generators.pipeline.build import verify_all

    count = verify_all(chosen(id), tell)
    click.echo(f"{count} values found again")


@main.command()
@may_wait
def site(wait: bool) -> None:
    """Compute, verify, and build PDFs and site/."""
    from generators.pipeline.files import refuse_links

    refuse_links()
    _build("site", "site/", _site, wait=wait)


def _site() -> None:
    from generators.pipeline.site.builder import build_site

    build_site(entries(), tell)


@main.command()
@any_ids
@may_wait
def pdf(id: str | None, wait: bool) -> None:
    """Compute, verify, and write build/pdf/."""
    if id is None:
        _build("pdf", "build/pdf/", _pdf, wait=wait)
        return
    from generators.pipeline.lock import alone

    chosen(id)  # an unknown one is refused before waiting
    with alone(f"pdf {id}", tell, wait=wait):
        _pdf(id)


def _pdf(id: str | None = None) -> None:
    from generators.pipeline import stamp
    from generators.pipeline.diff.builds import remember
    from generators.pipeline.pdf.builder import build_pdfs, remove_others
    from generators.pipeline.pdf.submission import plan

    inputs = stamp.inputs_digest()
    known, wanted = entries(), chosen(id)
    members = [member for ids in plan(known).values() if any(one in wanted for one in ids) for member in ids]
    made, worked_out = build_pdfs({member: known[member] for member in members}, tell)
    remove_others(known, tell)
    remember(worked_out, made, tell, everything=id is None)
    if id is None:
        stamp.finished("pdf", inputs, stamp.seen(made))
    for path in made:
        click.echo(shown(path))


@main.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="The port on this machine; 0 takes any that is free.",
)
def serve(port: int) -> None:
    """Build site/, and show in a browser what each change of a file does."""
    from generators.pipeline.files import refuse_links
    from generators.pipeline.live.serve import serve as serve_site

    refuse_links()
    _build("site", "site/", _site, wait=True)
    with suppress(KeyboardInterrupt):
        serve_site(port, tell)


@main.command()
@click.argument("revision", required=False)
@click.option("--format", "form", type=click.Choice(["text", "markdown", "json"]), default="text", help="Default: text.")
@click.option("--exit-code", is_flag=True, help="End with status 1 where something changed.")
def diff(revision: str | None, form: str, exit_code: bool) -> None:
    """Say what the last build changed, or what changed since a git REVISION.

    For a REVISION, site/ is brought up to date and the revision is built in a folder of its own; all files are compared too.
    """
    from generators.pipeline.diff.report import FORMATS

    found = _changes(revision)
    click.echo(FORMATS[form](found))
    if exit_code and found:
        sys.exit(1)


def _changes(revision: str | None) -> list[Change]:
    if revision is None:
        from generators.pipeline.diff.builds import last_changes

        return last_changes()
    from generators.pipeline.diff.revision import changes_since, commit_of
    from generators.pipeline.files import refuse_links
    from generators.pipeline.lock import alone

    refuse_links()
    commit = commit_of(revision)
    _build("site", "site/", _site, wait=True)
    with alone(f"diff {revision}", tell):
        return changes_since(revision, commit, tell)


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
        main(prog_name="answers" if _COMPLETE in os.environ else "python -m generators", complete_var=_COMPLETE)
    except ProjectError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_status)
    except OSError as error:
        place = f"{shown(Path(str(error.filename)))}: " if error.filename else ""
        click.echo(f"error: {place}cannot be read or written ({error.strerror or type(error).__name__})", err=True)
        sys.exit(2)


if __name__ == "__main__":
    try:
        run()
    except SystemExit as end:
        sys.stdout.flush()
        sys.stderr.flush()
        atexit._run_exitfuncs()
        # Python would take half a second to free what was imported.
        os._exit(end.code if isinstance(end.code, int) else int(end.code is not None))
