"""The doctrine as data is whole, and what it asks for has a place in a bundle."""

from prfpipe import doctrine, layout
from prfpipe.doctrine import MS01, Stage


def ids(items: tuple[object, ...]) -> list[str]:
    return [getattr(item, "id", None) or getattr(item, "code", "") for item in items]


def test_every_clause_is_there_once() -> None:
    assert ids(doctrine.PRINCIPLES) == [f"PRF-0{n}" for n in range(1, 5)]
    assert ids(doctrine.LEVERS) == [f"LEV-0{n}" for n in range(1, 6)]
    assert ids(doctrine.ARTIFACTS) == [f"ART-0{n}" for n in range(1, 6)]
    assert ids(doctrine.EVENT_CODES) == [f"PRF-00{n}" for n in range(1, 6)]
    assert ids(doctrine.INVARIANTS) == [f"INV-PRF-{name}" for name in ("PRINCIPLES", "ARTIFACTS", "PROFILED", "COMPAT")]


def test_ms01_is_the_six_stages_in_order_between_plan_and_decide() -> None:
    assert [stage.value for stage in MS01] == ["baseline", "profile", "prove", "implement", "verify", "reprofile"]
    assert [stage.rank for stage in MS01] == list(range(1, 7))
    assert list(Stage) == [Stage.PLAN, *MS01, Stage.DECIDE, Stage.ARCHIVE]


def test_budgets_are_those_of_the_doctrine() -> None:
    assert [(item.budget, item.unit) for item in doctrine.PRINCIPLES] == [
        (100.0, "ms"), (None, "ms"), (5.0, "percent"), (500.0, "ms"),
    ]  # fmt: skip


def test_levers_expect_a_real_gain() -> None:
    assert all(1 < low < high for low, high in (lever.expected for lever in doctrine.LEVERS))


def test_every_artifact_has_files() -> None:
    assert set(layout.REQUIRED) == set(ids(doctrine.ARTIFACTS))
