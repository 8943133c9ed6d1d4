"""Sizes and trees worked out by hand, and every rule of the parameters."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

from tests.conftest import worked_out
from tests.entries import Far, entry_of, solved_entry

SLUG = "lecture25_medusa"
ID = f"utaustin/{SLUG}"
F = Fraction


def heads(*shares: list[str]) -> list[dict[str, Any]]:
    return [{"guesses": [f"g{i}" for i in range(len(head))], "accuracies": head} for head in shares]


ONES = {"n_layers": 1, "d_model": 1, "n_heads": 1, "n_kv_heads": None, "head_dim": None, "d_ff": 1, "vocabulary_size": 1}
LLAMA_3 = {"name": "Llama 3 8B", "n_kv_heads": 8, "d_ff": 14336, "vocabulary_size": 128256}
FAR = [
    Far({"heads": heads(["1/2"]), "n_nodes": 1, "model": ONES},
        says=("puts 1 more head ($n_{\\text{Medusa}}$) on", "a tree of 1 node below", "tree of 1 node out of 1 gives",
              "1 attention head (")),
    Far({"heads": heads(["1/3"] * 3, ["0.9"], ["1/7", "1/8"]), "n_nodes": 12}, says=("a tree of 12 nodes",)),  # 3 + 3 + 6
    Far({"conventions": {"head_bias": True}}, says=("with a bias in $W_1$",), stays=("3/tokens", "1/flops")),
    Far({"conventions": {"bytes_per_value": 4, "flops_per_multiply_add": 1}}, stays=("1/slower", "3/gain", "1/share")),
    Far({"model": LLAMA_3}, says=("8 heads of keys and values",), stays=("3/tokens", "2/tokens")),
    Far({"choices": [[0], [0, 0], [1], [0, 1], [0, 0, 0]]}, says=("The sparse tree that was given, of 5 nodes, gives",)),
    Far({"choices": [[2]], "n_nodes": 120 // 2}, says=("of 1 node, gives",), silent=("Tree diagram",)),
    Far({"heads": heads(["0.03"] * 32, ["0.999"]), "n_nodes": 30}, says=("Tree diagram of 31 nodes",)),
    Far({"heads": heads(*[["1/2"]] * 6), "n_nodes": 6}, says=("a tree of 6 nodes",)),
    Far({"n_nodes": 31, "root": "a quite long one"}, silent=("Tree diagram",)),
]  # fmt: skip

entry, solved = partial(entry_of, ID), partial(solved_entry, ID)


def test_sizes() -> None:
    part = worked_out(ID)[2]["1"]
    assert part["head"].value == 147_849_216  # 4096² + 4096 · 32000
    assert part["model"].value == 6_738_415_616  # 32·(4·4096² + 3·4096·11008 + 2·4096) + 2·4096·32000 + 4096
    assert part["bytes"].value == 1_182_793_728  # 2 · 4 · 147849216
    assert part["flops"].value == 1_182_793_728  # 2 · 4 · (4096² + 4096·32000)
    assert part["slower"].value == 1 + F(4 * 147_849_216, 6_738_415_616 - 4096 * 32000 - 65 * 4096)


def test_heads_of_keys_and_values() -> None:
    """Llama 3 8B has 8,030,261,248 values, as published."""
    assert solved(entry(model={**entry()["model"], **LLAMA_3}))["1/model"].value == 8_030_261_248


def test_full_trees() -> None:
    answer = worked_out(ID)[2]
    assert list(answer["2/hits"]["rate"].cells.values()) == [F(78, 100), F(68, 100), F(55, 100), F(45, 100)]  # .6 + .12 + .06
    # tokens: 1 + .6 + .3 + .12 + .036; the best four add .6, .3, .12 and .12
    assert tuple(answer["3/sizes"].rows["width_1"].values())[:4] == (1, 4, F(2056, 1000), F(214, 100))
    # rates of two guesses a head are .72 .62 .5 .4
    assert answer["3/sizes"].rows["width_2"]["nodes"] == 30  # 2 + 4 + 8 + 16
    assert answer["3/sizes"].rows["width_2"]["full_tree"] == 1 + F(72, 100) * (1 + F(62, 100) * (1 + F(5, 10) * (1 + F(4, 10))))


def test_the_first_nodes_that_join() -> None:
    rows = worked_out(ID)[2]["3/growth"].rows
    assert [(key, row["token"], row["after"], row["probability"]) for key, row in rows.items()][:6] == [
        ("root", "ran", None, 1),
        ("1", "to", "ran", F(6, 10)),
        ("1.1", "the", "ran to", F(3, 10)),
        ("2", "home", "ran", F(12, 100)),  # as likely as what follows, but further up
        ("1.1.1", "house", "ran to the", F(12, 100)),  # .6 · .5 · .4
        ("1.2", "his", "ran to", F(72, 1000)),  # .6 · .12
    ]
    assert rows["1.2"]["tokens_a_step"] == F(2212, 1000)  # 1 + .6 + .3 + .12 + .12 + .072


def test_two_heads_by_hand() -> None:
    """Shares 1/2, 1/4 and 1/2, 1/4: 1 + 3/4 + 9/16 in full; the best two nodes are g0 (1/2) and g0 g0 or g1 (1/4 each)."""
    answer = solved(entry(heads=heads(["1/2", "1/4"], ["1/2", "1/4"]), n_nodes=2, choices=[[1], [1, 1]]))
    assert answer["2/tokens"].value == F(37, 16)
    assert answer["3/tokens"].value == F(7, 4)
    assert answer["3/share"].value == 100 * F(12, 21)  # 3/4 of 21/16
    assert list(answer["3/growth"].rows) == ["root", "1", "2"]
    assert answer["3/given_tokens"].value == F(21, 16)  # 1 + 1/4 + 1/16


REFUSED = [
    ({"heads": heads(["0.5", "0.6"])}, "heads.0: accuracies: must not rise from one guess to the next (got 1/2, 3/5)"),
    ({"heads": heads(["0.6", "0.5"])}, "heads.0: accuracies: must not sum to more than 1 (got 11/10)"),
    ({"heads": [{"guesses": ["a", "a"], "accuracies": [0.5, 0.1]}]},
     "heads.0: guesses: must not repeat a token (got ['a', 'a'])"),
    ({"heads": [{"guesses": ["a"], "accuracies": [0.5, 0.1]}]}, "heads.0: accuracies: must be as many as guesses (got 2)"),
    ({"heads": heads(*[["0.4", "0.3", "0.2"]] * 6)},
     "heads: the full tree must have at most 400 nodes below the root (got 1092)"),
    ({"heads": heads(["0.5"]), "n_nodes": 2}, "n_nodes: must be at most the nodes of the full tree, 1 (got 2)"),
    ({"choices": [[0], [0]]}, "choices: must not repeat a node (got [0])"),
    ({"choices": [[3]]}, "choices: a node must name one guess of each head down to it, counted from 0 (got [3])"),
    ({"choices": [[0, 1]]}, "choices: the node above each node must be chosen too (got [0, 1])"),
    ({"model": {**entry()["model"], "n_kv_heads": 5}}, "model: n_heads: must be divisible by n_kv_heads (got 32 and 5)"),
]  # fmt: skip
