"""Pod-like containers on one machine: what builds them, what they run in, and what a scenario's script does to them.

Two tiers have the same shape. `keeper` holds the namespaces of a run, `network` joins them, `image` is what a container
sees, `backends` start it (an OCI runtime, or `unshare` for an ordinary user), `stage` is what a scenario acts through.
"""
