"""Failing cases that a hostile review found: each is an input that the project promises to judge otherwise."""
