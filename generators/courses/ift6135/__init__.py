"""Answers to the assignments of IFT6135."""
