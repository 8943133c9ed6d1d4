"""Loads causal language models and decodes with them, counted and timed."""
