"""Deterministic simulation of the real engine: `python -m tests.simulation`.

The machine, the orchestrator, the host, the mailbox, recovery and the journal are the ones that
ship. Around them time, failures and workers are simulated, in one thread, from one seed.
`docs/explanation/simulation.md` says what is checked and what was found.
"""
