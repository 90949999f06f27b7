"""The suite mirrors the tree of `src/eightysix`; `tests/repo` is about the repository itself."""
