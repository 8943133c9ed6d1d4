"""Homework 3, question 3: what output length, beam width, top-k and top-p change, from recorded runs."""

from generators.courses.comp4901y.hw3_q3_generation.draw import draw
from generators.courses.comp4901y.hw3_q3_generation.find import find
from generators.courses.comp4901y.hw3_q3_generation.params import GenerationParams
from generators.courses.comp4901y.hw3_q3_generation.solve import solve
from generators.question import Question, Recorded

QUESTION = Question(
    title="Generating text: length, beams, top-k and top-p",
    points=40,
    params=GenerationParams,
    solve=solve,
    find=find,
    draw=draw,
    others=(
        {
            "hf_model_name": "models/code-small",
            "prompt_seq": "it's",
            "output_len": 1,
            "beam_width": 2,
            "top_k": 0,
            "top_p": "19/20",
        },
    ),
    recordings={
        "hw3_q3_output_len": Recorded(cuda=()),
        "hw3_q3_beam_width": Recorded(cuda=()),
        "hw3_q3_top_k": Recorded(cuda=()),
        "hw3_q3_top_p": Recorded(cuda=()),
        "hw3_q1_products": Recorded(cuda=()),
    },
)
