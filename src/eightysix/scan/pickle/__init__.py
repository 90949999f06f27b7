"""The abstract interpreter for pickles: what CPython's unpickler would import, call and change, without doing it."""
