"""Deliveries as the gate sees them: what is pushed, signed, promoted and approved, honest or not.

`cases.attacks` and `cases.changes` are the two halves: every attack must be held, and every change of an honest pipeline passes,
or is held by a rule that names the approval which lets it pass. docs/gate-cases.md is written from them.
"""
