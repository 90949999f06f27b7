"""How each format is recognised: one module a family, each with a tuple `KINDS` in the order in which it is asked."""
