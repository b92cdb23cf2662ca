"""Ctrl-C while a job is followed, at whatever moment it comes."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import asyncio, os, random, signal, threading, time
from agentflow.runtime.executors.ray_jobs import _interruptibly

begin, chance, interrupted = threading.Event(), random.Random(1), 0

def strike():
    while True:
        begin.wait()
        begin.clear()
        time.sleep(chance.random() * 0.003)
        os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=strike, daemon=True).start()
for _ in range(100):
    try:
        begin.set()
        _interruptibly(lambda: asyncio.sleep(60))
    except KeyboardInterrupt:
        interrupted += 1
print(interrupted)
"""


def test_ctrl_c_comes_through_at_any_moment_and_leaves_nothing_that_complains() -> None:
    command = [sys.executable, "-X", "dev", "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("100\n", "")
