"""Fuzzes the scanner: pickles from a grammar, mutated samples, containers around them, and what must hold for each."""
