"""What arrives, from where and how late, counted without making events: what `eightysix coverage` reads.

A survey is a decoder (`sources.interface.Decoder`) that gives no events. It decodes the few fields that say where a record
comes from, each record once, and counts them into one `Census`.
"""
