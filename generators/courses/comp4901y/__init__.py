"""Answers to the homeworks of COMP4901Y."""
