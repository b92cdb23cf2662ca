"""Values of a stream leave a worker soon, and in company when they come fast."""

from __future__ import annotations

import threading

from agentflow.runtime.executors.yields import LARGE, Yields


class Outlet:
    """Keeps what was sent, and lets one wait for it."""

    def __init__(self) -> None:
        self.groups: list[bytes] = []
        self._more = threading.Condition()

    def __call__(self, values: bytes) -> None:
        with self._more:
            self.groups.append(values)
            self._more.notify_all()

    def wait_for(self, text: bytes) -> bool:
        """Whether this is what was sent, put together, after at most ten seconds."""
        with self._more:
            return self._more.wait_for(lambda: b",".join(self.groups) == text, 60)


def test_a_first_value_goes_out_at_once() -> None:
    outlet = Outlet()
    Yields(outlet).add(b"1")
    assert outlet.groups == [b"1"]


def test_what_is_kept_goes_out_though_nothing_follows() -> None:
    outlet = Outlet()
    yields = Yields(outlet)
    for value in (b"1", b"2", b"3"):
        yields.add(value)
    assert outlet.wait_for(b"1,2,3")
    yields.add(b"4")
    assert outlet.wait_for(b"1,2,3,4")
    yields.close()


def test_fast_values_go_out_together_and_in_order() -> None:
    outlet = Outlet()
    yields = Yields(outlet)
    values = [str(n).encode() for n in range(10_000)]
    for value in values:
        yields.add(value)
    yields.close()
    assert b",".join(outlet.groups) == b",".join(values)
    assert len(outlet.groups) < 1_000


def test_a_flush_leaves_nothing_behind() -> None:
    outlet = Outlet()
    yields = Yields(outlet)
    yields.add(b"1")
    yields.add(b"2")
    yields.flush()
    assert b",".join(outlet.groups) == b"1,2"
    yields.close()


def test_large_values_are_not_kept() -> None:
    outlet = Outlet()
    yields = Yields(outlet)
    yields.add(b"1")
    yields.add(b"x" * LARGE)
    assert len(outlet.groups) == 2
    yields.close()
