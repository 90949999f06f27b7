"""The operator's policy: its form, how it is read, and its predicates."""
