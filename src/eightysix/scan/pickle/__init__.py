"""The abstract interpreter of pickles: reads a stream as CPython's unpickler would and builds nothing of it.

`machine` moves over the opcodes, `values` is what it knows about the values, `effects` judges what a stream would do,
`predicates` what a call may be given, `streams` reads several pickles in one file, `reader` is asked by the scan.
"""
