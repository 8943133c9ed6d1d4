"""Generators of course answers: parameters in, verified and rendered answers out."""
