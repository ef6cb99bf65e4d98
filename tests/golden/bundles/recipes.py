"""All golden bundles by name: which check refuses it, and how it is made from the first one."""

from tests.golden.bundles.claims import CLAIMS, TOLD, telling
from tests.golden.bundles.damaged import DAMAGED
from tests.golden.bundles.whole import GOOD, Recipe


def cases() -> dict[str, tuple[str, str, Recipe]]:
    """Name -> the check that refuses (empty: accepted), the verdict (empty: refused), and how to make it."""
    good = {name: ("", verdict, recipe) for name, (verdict, recipe) in GOOD.items()}
    stories = {name: (check, telling(changes)) for name, (check, changes) in TOLD.items()}
    bad = {name: (check, "", recipe) for name, (check, recipe) in {**DAMAGED, **stories, **CLAIMS}.items()}
    return {**good, **bad}
