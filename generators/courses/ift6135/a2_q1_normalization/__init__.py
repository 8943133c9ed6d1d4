"""Assignment 2, question 1: means and variances of batch, layer and instance normalization."""

from generators.courses.ift6135.a2_q1_normalization.find import find
from generators.courses.ift6135.a2_q1_normalization.params import TensorParams
from generators.courses.ift6135.a2_q1_normalization.slips import slips
from generators.courses.ift6135.a2_q1_normalization.solve import solve
from generators.question import Question


def _tensor(samples: int, channels: int, features: int) -> list[list[list[int]]]:
    """A tensor whose numbers differ. Every sample and channel of the largest allowed tensors is in one of the three below."""
    return [[[(i * i + 7 * j + 11 * i * k) % 19 - 4 for k in range(features)] for j in range(channels)] for i in range(samples)]


QUESTION = Question(
    title="Normalization: batch, layer and instance",
    points=6,
    params=TensorParams,
    solve=solve,
    find=find,
    slips=slips,
    what_if=("tensor",),
    others=tuple({"tensor": _tensor(*sizes)} for sizes in ((9, 5, 2), (12, 4, 2), (12, 5, 1))),
)
