"""Measures on the machine at hand: programs, models, timings, training."""
