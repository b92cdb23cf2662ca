"""Chaos: the real engine on real Ray and real stores, with everything killed at random.

`python -m tests.chaos` runs a campaign and checks what is left against what happened;
`python -m tests.chaos.recovery` measures how fast the engine is back.
"""
