"""Runs what the measured answers report, and records every sample."""
