"""Companions to the lectures of UT Austin."""
