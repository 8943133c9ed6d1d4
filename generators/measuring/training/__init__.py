"""Trains small code models on the Python files of the running interpreter."""
