"""Lecture 25, distillation: losses and gradients on given logits, a small run with and without a teacher, a recorded draft."""

from generators.courses.utaustin.lecture25_distillation.draw import draw
from generators.courses.utaustin.lecture25_distillation.find import find
from generators.courses.utaustin.lecture25_distillation.params import DistillationParams
from generators.courses.utaustin.lecture25_distillation.solve import solve
from generators.question import Question, Recorded

SHORT = {"n_teacher": 20, "n_student": 10, "n_test": 10, "n_starts": 2, "teacher_steps": 5, "student_steps": 10}

QUESTION = Question(
    title="Distillation",
    points=0,
    params=DistillationParams,
    solve=solve,
    find=find,
    draw=draw,
    recordings={"lecture25_distillation_draft": Recorded(cuda=())},
    others=(
        {
            "example": {
                "classes": ["a", "b"], "teacher": [0, 3], "student": [6, -3], "label": "b", "temperature": 3,
                "label_weight": "1/4", "temperatures": [1, 3],
            },
            "training": {**SHORT, "teacher_hidden": 2, "student_hidden": 1},
            "label_weights": [1, "1/3"],
        },
        {
            "example": {
                "classes": ["a", "b", "c"], "teacher": [1, 3, 0], "student": [-2, 4, 5], "label": "c", "temperature": 1,
                "label_weight": "2/3", "temperatures": [2, 100],
            },
            "training": {**SHORT, "teacher_hidden": 3, "student_hidden": 2},
            "label_weights": [1, 0],
        },
    ),
)  # fmt: skip
