"""What chance decides about faults, and what it does not."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.chaos.faults import FAULTS, Killer, Targets, drawn
from tests.servers import RedisServer, redis_server


def dealt(seed: int, draws: int) -> Counter[str]:
    """How often each kind is drawn when most are possible at one moment of ten only."""
    chance = random.Random(seed)
    seldom = [kind for kind in FAULTS if kind.of in {"orchestrators", "ray"}]
    counts: Counter[str] = Counter()
    for draw in range(draws):
        all_at_work = chance.random() < 0.1
        possible = [kind for kind in FAULTS if all_at_work or kind not in seldom]
        counts[drawn(possible, counts, draw / draws, chance).name] += 1
    return counts


@pytest.mark.parametrize("seed", range(100))
def test_every_kind_comes_up_in_a_campaign_however_seldom_it_is_possible(seed: int) -> None:
    assert set(dealt(seed, draws=400)) == {kind.name for kind in FAULTS}


def test_what_has_come_up_is_drawn_by_weight() -> None:
    chance, names = random.Random(1), [kind.name for kind in FAULTS]
    counts = Counter(drawn(FAULTS, names, 0.9, chance).name for _ in range(20_000))
    weights = {kind.name: kind.weight for kind in FAULTS}
    total = sum(weights.values())
    for name, weight in weights.items():
        assert counts[name] / 20_000 == pytest.approx(weight / total, abs=0.01)


def test_no_two_kinds_have_one_name() -> None:
    assert len({kind.name for kind in FAULTS}) == len(FAULTS)


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


def test_what_has_not_come_up_is_named_unless_there_is_nothing_to_hit(redis: RedisServer) -> None:
    killer = Killer(Targets(redis=redis), random.Random(1), rate=1)
    assert killer.missing() == ["Redis SIGKILL", "Redis SIGSTOP", "Redis FLUSHALL"]
    killer.hit("Redis SIGSTOP")
    assert killer.missing() == ["Redis SIGKILL", "Redis FLUSHALL"]
