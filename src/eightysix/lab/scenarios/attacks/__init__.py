"""Scenarios in which somebody takes what is not theirs."""
