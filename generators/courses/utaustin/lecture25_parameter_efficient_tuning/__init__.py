"""Lecture 25, parameter-efficient tuning: LoRA's reduction, and the share of a model that BitFit, adapters and LoRA train."""

from generators.courses.utaustin.lecture25_parameter_efficient_tuning.find import find
from generators.courses.utaustin.lecture25_parameter_efficient_tuning.params import TuningParams
from generators.courses.utaustin.lecture25_parameter_efficient_tuning.solve import solve
from generators.question import Question

SMALL_BERT = {"n_layers": 3, "d_model": 12, "d_ff": 20, "vocabulary_size": 50, "n_positions": 16, "n_segments": 4}
SMALLER = {**SMALL_BERT, "n_layers": 2, "d_model": 8, "d_ff": 24, "vocabulary_size": 30, "n_segments": 1}
OTHER = {
    "d_model": 12, "ranks": [1, 5],
    "models": [{"name": "a", **SMALL_BERT}, {"name": "b", **SMALLER}],
    "adapter_width": 5, "other_adapter_widths": [], "rank": 3, "n_tasks": 1,
    "printed": {"bitfit": {"percent": 7}, "adapters": {"percent": 20}, "diff_pruning": {"percent": 1}},
}  # fmt: skip

QUESTION = Question(
    title="Parameter-efficient tuning", points=0, params=TuningParams, solve=solve, find=find, others=(OTHER,),
    what_if=("d_model", "rank", "adapter_width", "n_tasks", "conventions.bytes_per_value", "conventions.optimizer_states"),
)  # fmt: skip
