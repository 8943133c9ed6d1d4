"""Works out what changed: only questions whose parameters, code or template differ are computed again."""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
import shutil
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from generators.errors import RenderError, WorkerDied
from generators.pipeline.catalog import ROOT, QuestionId, load_params, load_question, shown
from generators.pipeline.reads import digest_of, digests, files_read, imported_packages

BUILD = ROOT / "build"
UNITS = BUILD / "units"
_SLOW_PACKAGES = (("transformers", "peft"), ("torch",))

Unit = dict[str, Any]
Entries = Mapping[QuestionId, Mapping[str, Any]]
Tell = Callable[[str], None]


def units(
    entries: Entries,
    tell: Tell,
    on_composed: Callable[[QuestionId, Unit], object] = lambda question_id, unit: None,
    while_waiting: Callable[[], object] = lambda: None,
) -> dict[QuestionId, Unit]:
    """Every question worked out and verified, kept ones as they are; any failure raises before anything is kept.

    `on_composed` is called with each question as soon as its page exists, for one computed again before it is verified;
    `while_waiting` once, when all pages exist and only checks still run.
    """
    kept = {question_id: _kept(question_id, entry) for question_id, entry in entries.items()}
    stale = {question_id: entries[question_id] for question_id, unit in kept.items() if unit is None}
    for question_id, unit in kept.items():
        if unit is not None:
            on_composed(question_id, unit)
    fresh = _worked_out(stale, tell, on_composed, while_waiting) if stale else {}
    for question_id, one in fresh.items():
        _keep(question_id, one)
    return {question_id: unit for question_id in entries if (unit := fresh.get(question_id) or kept[question_id])}


def _path(question_id: QuestionId) -> Path:
    return UNITS / f"{question_id}.json"


def _kept(question_id: QuestionId, entry: Mapping[str, Any]) -> Unit | None:
    """The question as last worked out, if nothing it reads has changed since."""
    try:
        unit = json.loads(_path(question_id).read_bytes())
        read = [ROOT / path for path in unit["read"]]
        current = unit["entry"] == digest_of(entry) and unit["read"] == digests(read)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return unit if current else None


def _keep(question_id: QuestionId, unit: Unit) -> None:
    write_whole(_path(question_id), json.dumps(unit, ensure_ascii=False, sort_keys=True).encode())


def _worked_out(
    stale: Entries, tell: Tell, on_composed: Callable[[QuestionId, Unit], object], while_waiting: Callable[[], object]
) -> dict[QuestionId, Unit]:
    """Compose and verify in parallel processes; checks that import the same slow packages share a process."""
    _refuse_bad(stale)
    batches = _batches(stale)
    read = {question_id: digests(files_read(question_id)) for question_id in stale}
    composed: dict[QuestionId, Unit] = {}
    checks: dict[QuestionId, Any] = {}
    with workers(len(stale) + len(batches)) as pool:
        jobs: dict[Future[Any], QuestionId | None] = {pool.submit(_verify, batches[0]): None}
        jobs |= {pool.submit(_compose, question_id, stale[question_id]): question_id for question_id in _longest_first(stale)}
        jobs |= {pool.submit(_verify, batch): None for batch in batches[1:]}
        for job in as_completed(jobs):
            question_id = jobs[job]
            if question_id is None:
                for verified_id, (seconds, found) in job.result().items():
                    checks[verified_id] = found
                    tell(f"{verified_id}: {passed(found)} ({seconds:.1f} s)")
            else:
                composed[question_id] = job.result()
                on_composed(question_id, composed[question_id])
                if len(composed) == len(stale):
                    while_waiting()
    return {
        question_id: {
            **composed[question_id],
            "checks": checks[question_id],
            "entry": digest_of(entry),
            "read": read[question_id],
        }
        for question_id, entry in stale.items()
    }


def _longest_first(stale: Entries) -> list[QuestionId]:
    """Questions of the documents with most pages first: their PDFs take longest, and wait for all of them."""
    pages = Counter((question_id.course, question_id.document) for question_id in stale)
    return sorted(stale, key=lambda question_id: -pages[question_id.course, question_id.document])


def _batches(stale: Entries) -> list[list[tuple[QuestionId, Mapping[str, Any]]]]:
    """Questions by the slowest package their checks import, slowest first.

    On two cores all checks are one batch, as a second import of torch costs more than running them one after the other.
    """
    groups: dict[int, list[tuple[QuestionId, Mapping[str, Any]]]] = {}
    for question_id, entry in stale.items():
        packages = imported_packages(question_id)
        rank = next((i for i, names in enumerate(_SLOW_PACKAGES) if packages & set(names)), len(_SLOW_PACKAGES))
        groups.setdefault(rank, []).append((question_id, entry))
    batches = [groups[rank] for rank in sorted(groups)]
    return batches if (os.cpu_count() or 1) > 2 else [[one for batch in batches for one in batch]]


def verify_all(entries: Entries, tell: Tell) -> int:
    """Run every check of these questions, kept or not; return how many passed."""
    _refuse_bad(entries)
    count = 0
    batches = _batches(entries)
    with workers(len(batches)) as pool:
        for job in as_completed([pool.submit(_verify, batch) for batch in batches]):
            for question_id, (seconds, found) in job.result().items():
                count += found["total"] if isinstance(found, dict) else len(found)
                tell(f"{question_id}: {passed(found)} ({seconds:.1f} s)")
    return count


def passed(found: Any) -> str:
    """How many values were found again, or checks passed, as progress says it."""
    return f"{found['total']} values found again" if isinstance(found, dict) else f"{len(found)} checks passed"


def _refuse_bad(entries: Entries) -> None:
    """Refuse bad parameters before any work begins; processes forked later have the modules imported here."""
    for question_id, entry in entries.items():
        load_params(question_id, load_question(question_id), entry)


@contextmanager
def workers(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that share the machine's cores and import slow packages only when they need them; a failure ends them at once."""
    method = "fork" if sys.platform == "linux" else "spawn"
    count = max(1, min(os.cpu_count() or 1, jobs))
    pool = ProcessPoolExecutor(count, multiprocessing.get_context(method), initializer=_prepare_worker, initargs=(os.getpid(),))
    try:
        yield pool
    except BaseException as failure:
        for child in multiprocessing.active_children():
            child.terminate()
        pool.shutdown(wait=False, cancel_futures=True)
        if isinstance(failure, BrokenProcessPool):
            raise WorkerDied(
                "a worker process was ended from outside, perhaps for lack of memory; run the command again"
            ) from failure
        raise
    pool.shutdown()


def _prepare_worker(parent: int) -> None:
    """One thread a process, no hub, no notices; no garbage collection, which costs a fifth of torch's import."""
    os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}
    gc.disable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent answers Ctrl-C, and ends its workers
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """End this worker when its parent was killed and could not."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _compose(question_id: QuestionId, entry: Mapping[str, Any]) -> Unit:
    from generators.pipeline.unit import compose

    return compose(question_id, entry)


def _verify(batch: Iterable[tuple[QuestionId, Mapping[str, Any]]]) -> dict[QuestionId, tuple[float, Any]]:
    from generators.pipeline.unit import verified

    found = {}
    for question_id, entry in batch:
        start = time.perf_counter()
        checks = verified(question_id, entry)
        found[question_id] = (time.perf_counter() - start, checks)
    return found


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is either the old one or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise RenderError(f"{shown(path)}: cannot be written ({error.strerror or type(error).__name__})") from error


def put_in_place(new: Path, old: Path) -> None:
    """Let the complete folder `new` take the place of `old`; `restore` mends a kill between the two renames."""
    _refuse_link(old)
    aside = old.with_name(f".{old.name}.old")
    shutil.rmtree(aside, ignore_errors=True)
    if old.exists():
        old.replace(aside)
    new.replace(old)
    shutil.rmtree(aside, ignore_errors=True)


def _refuse_link(folder: Path) -> None:
    """Renaming would take a link's place, not its target's."""
    if folder.is_symlink():
        raise RenderError(f"{shown(folder)}: must be a folder, which a build replaces as a whole (got a link)")


def restore(old: Path) -> None:
    """Put a folder back that a killed build had moved aside."""
    _refuse_link(old)
    aside = old.with_name(f".{old.name}.old")
    if aside.exists() and not old.exists():
        aside.replace(old)
