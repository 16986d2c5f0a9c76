"""What every QuotaStore keeps to."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from shared.gcp.quota import FirestoreQuota
from shared.memory import MemoryQuota
from shared.ports import Held, QuotaStore
from tests.contracts.makers import at_once

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
UNTIL = NOW + timedelta(days=1)

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(params=["memory", "firestore"])
def quotas(request: pytest.FixtureRequest) -> Callable[[], QuotaStore]:
    """Makes one more that looks at the same, as another instance of a function does."""
    if request.param == "memory":
        one = MemoryQuota()
        return lambda: one
    project = request.getfixturevalue("firestore_project")
    return lambda: FirestoreQuota(project, timedelta(days=30))


def never(_: Held) -> bool:
    return False


def held(number: int) -> Held:
    return Held(f"videos/maria/{number}.mp4", NOW + timedelta(seconds=number))


# Spent


def test_what_is_spent_is_gone(quotas: Callable[[], QuotaStore]) -> None:
    quota = quotas()
    assert [quota.spend("maria~uploads", 3, UNTIL) for _ in range(5)] == [True] * 3 + [False] * 2


def test_counters_do_not_know_each_other(quotas: Callable[[], QuotaStore]) -> None:
    quota = quotas()
    assert quota.spend("maria~uploads", 1, UNTIL)
    assert quota.spend("carmen~uploads", 1, UNTIL)
    assert not quota.spend("maria~uploads", 1, UNTIL)


def test_another_instance_goes_on_counting(quotas: Callable[[], QuotaStore]) -> None:
    first, second = quotas(), quotas()
    assert [store.spend("maria", 5, UNTIL) for store in (first, first, second, first, second, quotas())] == [
        *[True] * 5, False,
    ]  # fmt: skip


def test_a_limit_that_was_raised_lets_more_pass(quotas: Callable[[], QuotaStore]) -> None:
    quota = quotas()
    assert [quota.spend("maria", 1, UNTIL) for _ in range(2)] == [True, False]
    assert [quota.spend("maria", 2, UNTIL) for _ in range(2)] == [True, False]


@pytest.mark.parametrize("instances", [1, 5, 50])
def test_of_fifty_at_once_exactly_so_many_pass(quotas: Callable[[], QuotaStore], instances: int) -> None:
    stores = [quotas() for _ in range(instances)]
    passed = at_once(*(lambda i=i: stores[i % instances].spend("maria", 10, UNTIL) for i in range(50)))
    assert sum(passed) == 10


# Held


def test_a_place_is_kept_until_it_is_given_back(quotas: Callable[[], QuotaStore]) -> None:
    quota = quotas()
    assert [quota.hold("maria", 2, held(i), never) for i in range(3)] == [True, True, False]
    quota.release("maria", held(0).holder)
    assert [quota.hold("maria", 2, held(i), never) for i in range(3, 5)] == [True, False]


def test_to_give_back_what_is_not_held_is_nothing(quotas: Callable[[], QuotaStore]) -> None:
    quota = quotas()
    assert quota.hold("maria", 1, held(1), never)
    quota.release("maria", "somebody else")
    quota.release("carmen", held(1).holder)
    assert not quota.hold("maria", 1, held(2), never)


def test_a_place_whose_holder_is_done_is_free(quotas: Callable[[], QuotaStore]) -> None:
    quota = quotas()
    assert [quota.hold("maria", 2, held(i), never) for i in range(2)] == [True, True]
    seen: list[Held] = []

    def is_first(other: Held) -> bool:
        seen.append(other)
        return other == held(0)

    assert quota.hold("maria", 2, held(2), is_first)
    assert set(seen) <= {held(0), held(1)}
    assert held(0) in seen
    assert not quota.hold("maria", 2, held(3), is_first)


def test_of_fifty_at_once_exactly_so_many_find_a_place(quotas: Callable[[], QuotaStore]) -> None:
    stores = [quotas() for _ in range(5)]
    found = at_once(*(lambda i=i: stores[i % 5].hold("maria", 5, held(i), never) for i in range(50)))
    assert sum(found) == 5


def test_of_fifty_at_once_one_takes_the_place_of_each_that_is_done(quotas: Callable[[], QuotaStore]) -> None:
    quota = quotas()
    for i in range(5):
        assert quota.hold("maria", 5, held(i), never)
    is_done = {held(1), held(3)}
    found = at_once(*(lambda i=i: quota.hold("maria", 5, held(i), is_done.__contains__) for i in range(10, 60)))
    assert sum(found) == 2
