"""Lecture 25, its four tables of results: every average recomputed where the printed columns allow it."""

from generators.courses.utaustin.lecture25_result_tables.find import find
from generators.courses.utaustin.lecture25_result_tables.params import TablesParams
from generators.courses.utaustin.lecture25_result_tables.solve import solve
from generators.question import Question

QUESTION = Question(
    title="The lecture's tables of results",
    points=0,
    params=TablesParams,
    solve=solve,
    find=find,
)
