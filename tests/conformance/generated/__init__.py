"""Workflows by chance: what each means is what the machine makes of it, and nothing else may come.

`steps` draws a workflow from a seed, `sides` runs it here and compiled, and says what differs;
`shrink` makes what differs small. `python -m tests.conformance.generated` runs many.
"""
