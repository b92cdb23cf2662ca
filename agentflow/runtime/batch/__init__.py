"""Batch runs: a function over many items, durably; `agentflow.map` and `agentflow.map_reduce`.

    items ─sources─▶ pieces ─driver─▶ tasks of the executor ─chunks─▶ results
                       ▲                                               │
                    sizing ◀──────── measured time ──────────────── ledger ─▶ results, progress

The unit of dispatch and of the journal is the chunk. What costs something for each item is in the
worker's loop alone (`agentflow.functions.chunks`).

A batch run is an execution in the ordinary journal, but no workflow: engines neither run nor adopt
it. Whoever makes the same call with the same id goes on with it.
"""
