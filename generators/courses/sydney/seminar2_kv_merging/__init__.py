"""Seminar 2, merging of the KV cache: who is evicted, who takes whom in, the merged cache, and the error that is left."""

from generators.courses.sydney.seminar2_kv_merging.find import find
from generators.courses.sydney.seminar2_kv_merging.params import MergingParams
from generators.courses.sydney.seminar2_kv_merging.solve import solve
from generators.question import Question

QUESTION = Question(
    title="Merging of the KV cache",
    points=0,
    params=MergingParams,
    solve=solve,
    find=find,
    others=(
        {
            "eviction": {
                "tokens": [{"name": "a", "kind": "text"}, {"name": "b", "kind": "image"}, {"name": "c", "kind": "text"}],
                "attention": [[1], ["1/3", "2/3"], [0.25, 0.25, 0.5]],
                "n_recent": 1,
                "n_top": 1,
            },
            "merging": {
                "conserved": [2, 4],
                "keys": [[1, 1, 0], [1, -1, 2], [3, 0, -1], [0, 2, 5], [-1, 0, 0]],
                "values": [[1], [2], [3], [4], [5]],
            },
            "queries": [[1, 0, -1]],
            "trials": {"n_seeds": 2},
        },
    ),
)
