"""The courses, a folder each."""
