"""Assignment 2, question 3: a bidirectional RNN unrolled, and its gradients in matrix form."""

from generators.courses.ift6135.a2_q3_bidirectional_rnn.draw import draw
from generators.courses.ift6135.a2_q3_bidirectional_rnn.find import find
from generators.courses.ift6135.a2_q3_bidirectional_rnn.params import RnnParams
from generators.courses.ift6135.a2_q3_bidirectional_rnn.solve import solve
from generators.question import Question

QUESTION = Question(
    title="Bidirectional RNN: backpropagation through time",
    points=17,
    params=RnnParams,
    solve=solve,
    find=find,
    draw=draw,
    others=({"time_steps": 4, "conventions": {"shapes": "general"}},),
)
