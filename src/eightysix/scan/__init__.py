"""Reads artifacts before anything loads them: models, serialized state, and what lies around them.

One folder a family of formats. `recognise` says by content what a file is, `scanner` leads each part of it to its
reader, `catalog` holds the rules, and `pickle/` is the abstract interpreter that most of them need.
"""
