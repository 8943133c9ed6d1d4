"""The keys of a question's steps, and whether what was kept is current; nothing slow is imported for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from generators.pipeline.catalog import QuestionId
from generators.pipeline.course import sheet_of
from generators.pipeline.digest import digest_of, digests
from generators.pipeline.kept import Sections, current
from generators.pipeline.reads import files_read, links

Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Keys:
    """The keys of a question's steps as far as they follow from files and the entry."""

    solve: str
    match: str
    draw: str
    render: str
    variants: str

    @classmethod
    def of(cls, question_id: QuestionId, entry: Entry) -> Keys:
        """Digest what each step reads itself."""
        files = files_read(question_id)
        place = [str(question_id), question_id.path, dict(entry)]
        rendered = [place, digests(files.render), links(question_id), sheet_of(question_id).medium]
        return cls(
            solve=digest_of([place, digests(files.solve)]),
            match=digest_of([place, digests(files.match)]),
            draw=digest_of([place, digests(files.draw)]),
            render=digest_of(rendered),
            variants=digest_of([rendered, digests(files.variants)]),
        )

    @property
    def solve_and_match(self) -> str:
        """What was found again is kept for the answer that it was found for."""
        return digest_of([self.solve, self.match])

    def draw_of(self, answer: str) -> str:
        """The key of the pictures of an answer, by its digest."""
        return digest_of([self.draw, answer])

    def render_of(self, answer: str) -> str:
        """The key of the pages of an answer, by its digest."""
        return digest_of([self.render, self.draw, answer])


def is_matched(question_id: QuestionId, entry: Entry, kept: Sections) -> bool:
    """Whether what was found again is kept for all that solving and finding read."""
    return current(kept.get("match"), Keys.of(question_id, entry).solve_and_match) is not None


def is_current(question_id: QuestionId, entry: Entry, kept: Sections, *, varied: bool) -> bool:
    """Whether no step has anything to do, making the pages of other readings included or not."""
    keys = Keys.of(question_id, entry)
    solved = current(kept.get("solve"), keys.solve)
    if solved is None:
        return False
    answer = solved.content["digest"]
    wanted = {"draw": keys.draw_of(answer), "render": keys.render_of(answer), "match": keys.solve_and_match}
    wanted |= {"variants": keys.variants} if varied else {}
    return all(current(kept.get(step), key) for step, key in wanted.items())
