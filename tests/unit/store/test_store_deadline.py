"""Retries: only what a second try may cure, never longer than the deadline, never all at the same moment."""

import pytest

from prfpipe.errors import AlreadyExistsError, IntegrityError, NotFoundError, StoreError, StoreUnavailableError
from prfpipe.store import deadline as room
from prfpipe.store.deadline import Limits, with_retries

LIMITS = Limits(total=60, pauses=(1.0, 2.0, 4.0))


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    pauses: list[float] = []
    monkeypatch.setattr(room.time, "sleep", pauses.append)
    return pauses


def fails(error: StoreError, times: int) -> tuple[list[int], object]:
    tries: list[int] = []

    def action() -> int:
        tries.append(len(tries))
        if len(tries) <= times:
            raise error
        return len(tries)

    return tries, action


def test_pauses_grow_and_are_spread(slept: list[float]) -> None:
    for _ in range(50):
        _, action = fails(StoreUnavailableError("busy", hint="Wait."), 3)
        assert with_retries(LIMITS, LIMITS.deadline("try"), action) == 4  # type: ignore[arg-type]
    firsts = slept[::3]
    assert len(set(firsts)) > 1
    for first, second, third in zip(firsts, slept[1::3], slept[2::3], strict=True):
        assert 1 <= first <= 1.5
        assert 2 <= second <= 3
        assert 4 <= third <= 6


def test_damaged_bytes_are_read_again_at_once(slept: list[float]) -> None:
    _, action = fails(IntegrityError("flipped", hint="Again."), 2)
    assert with_retries(LIMITS, LIMITS.deadline("try"), action) == 3  # type: ignore[arg-type]
    assert slept == [0, 0]


@pytest.mark.parametrize("kind", [StoreError, AlreadyExistsError, NotFoundError])
def test_a_refusal_is_not_tried_again(slept: list[float], kind: type[StoreError]) -> None:
    tries, action = fails(kind("no", hint="Ask."), 1)
    with pytest.raises(kind):
        with_retries(LIMITS, LIMITS.deadline("try"), action)  # type: ignore[arg-type]
    assert (len(tries), slept) == (1, [])


def test_a_refusal_that_may_pass_is_tried_again_where_it_is_said(slept: list[float]) -> None:
    _, action = fails(NotFoundError("not yet", hint="Wait."), 1)
    assert with_retries(LIMITS, LIMITS.deadline("try"), action, NotFoundError) == 2  # type: ignore[arg-type]
    assert len(slept) == 1


def test_no_pause_reaches_over_the_deadline(slept: list[float]) -> None:
    tries, action = fails(StoreUnavailableError("busy", hint="Wait."), 9)
    with pytest.raises(StoreUnavailableError):
        with_retries(LIMITS, Limits(total=0.5).deadline("try"), action)  # type: ignore[arg-type]
    assert (len(tries), slept) == (1, [])
