"""Companions to the seminar of the University of Sydney."""
