"""Everything outside of the pods of a run, but the kernel: metadata service, login, ARM, storage, registry, index, sink.

Run as `python -m eightysix.lab.services SPEC.json` inside of the run's network namespace. docs/lab-services.md tells what each
stand-in does as the real one does, and what it does not.
"""
