"""What templates say stays true and grammatical when parameters are as small, as few or as even as they may be."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest

from generators.pipeline.wording import counted, noun
from tests.conftest import IDS
from tests.entries import composed_entry, entry_of
from tests.page_text import without_addresses
from tests.project import Project

ONE_OF_MANY = re.compile(
    r"(?<![\d.,])(?<![+-] )\b1\$? (?:(?:input|drafted|more|Medusa) )?"
    r"(?:tokens|heads|layers|sequences|candidates|copies|nodes|levels|calls|comparisons|beams|decimals|words|steps|blocks|tiles"
    r"|additions|multiplications|guesses(?= a head)|squares|ones)\b"
)
"""One of what stands in the plural; not the 1 of T + 1 words."""
TPU = {"name": "TPU", "peak_tflops": 1, "bandwidth_gb_per_s": 1000, "source": "made up"}
COMP, UT = "comp4901y/", "utaustin/"
LEVEL = {"a": {"p": 0.5, "next": {"a": 0.5, "b": 0.5}}, "b": {"p": 0.5, "next": {"a": 0.5, "b": 0.5}}}
EDGES: list[tuple[str, dict[str, Any], list[str]]] = [
    (COMP + "hw3_q1", {"seq_len": 1, "d_model": 1, "n_heads": 1, "accelerators": [TPU]},
     ["1 input token ($L$)", "1 head ($n_H$)", "TPU: no row of prefill and no row of decode can reach the peak."]),
    (COMP + "hw3_q2", {"tree": {"a": 1}, "num_beams": 1},
     ["Every sequence of 1 token", "Search with 1 beam", "the best is kept;", "Step 1: 1 candidate ",
      "scores 1 of 1 node in the tree."]),
    (COMP + "hw3_q2", {"tree": LEVEL, "num_beams": 1}, ["With 1 beam a most likely sequence is found."]),
    (COMP + "hw3_q2", {"num_beams": 27}, ["the 27 best are kept, all where there are fewer;"]),
    (UT + "lecture25_int8",
     {"product": {"n_tokens": 8, "n_features": 16, "n_outputs": 8, "seed": 1, "outliers": [{"feature": 0, "size": 1}],
                  "share_of_tokens": 1, "threshold": 100, "largest_sizes": [1, 2]}},
     ["no feature exceeds the threshold, so that decomposition takes nothing out"]),
]  # fmt: skip


@pytest.mark.parametrize(("prefix", "changes", "said"), EDGES)
def test_prose_at_the_edge_of_the_parameters(prefix: str, changes: dict[str, Any], said: list[str]) -> None:
    """Numbers of one go with the singular, in captions and alternative texts too, and claims that no longer hold are not made."""
    page = composed_entry(prefix, entry_of(prefix, **changes))["site"]
    text = " ".join(html.unescape(without_addresses(page)).split())
    assert not ONE_OF_MANY.findall(text)
    for words in said:
        assert words in text


@pytest.mark.parametrize("question_id", IDS)
def test_prose_at_the_parameters_of_the_site(built: Project, question_id: str) -> None:
    assert not ONE_OF_MANY.findall(html.unescape(built.made(question_id)["render"]["site"]))


def test_a_noun_goes_with_its_number() -> None:
    """The singular goes with 1 alone."""
    assert [counted(number, "token") for number in (0, 1, 2)] == ["0 tokens", "1 token", "2 tokens"]
    assert [counted(number, "copy", "copies") for number in (1, 3)] == ["1 copy", "3 copies"]
    assert noun(1, "is", "are") == "is"
