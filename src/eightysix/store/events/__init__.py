"""The analytical store: rows of named tables, a recent part that one process writes, and sealed hours that all may read.

A store is a folder. `hot.duckdb` takes rows, and one process owns it. Hours that are over are sealed as Parquet under
`segments/`, sorted by namespace, pod and time. `manifest.json` lists them. `store.json` says which layout it is.

- `hot.Hot` owns a store: `append` is durable when it returns, and to append the same rows again changes nothing.
- `sealing.seal`, `compacting.compact` and `retention.trim` move and delete what the owner has.
- `view.open_view` is what any process reads: a sealed connection with one view a table.
- `asking` lets other processes ask the owner over a socket.
"""
