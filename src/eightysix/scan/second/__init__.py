"""The second engine: CPython's own unpickler, with inert stand-ins, in a child that may do nothing but answer.

`engine` is the way in. `server` runs in an interpreter of its own that forks the children; `inert` is what a child does
with a stream, `sandbox` takes its rights before. These three import nothing but the standard library: no site-packages
are there to be had.
"""
