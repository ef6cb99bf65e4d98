"""What nobody needs is not loaded, and is there for whoever does."""

import subprocess
import sys
import textwrap
from pathlib import Path

from tests.support.runtimes import ROOT, Start


def answer(script: str) -> str:
    """What a fresh interpreter prints: modules that were loaded stay loaded."""
    source = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n" + textwrap.dedent(script)
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_module_is_loaded_with_its_first_attribute_and_is_then_the_one_that_all_get() -> None:
    assert (
        answer("""
        from gates.runtime.lazy import later
        later("colorsys")
        import colorsys as early
        before = "hls_to_rgb" in vars(early)
        first = early.rgb_to_hls
        import colorsys as late
        print(before, first is late.rgb_to_hls, early.ONE_THIRD == late.ONE_THIRD, late.__spec__.name)
    """)
        == "False True True colorsys"
    )


def test_a_module_that_is_there_already_stays() -> None:
    assert (
        answer("""
        import json
        from gates.runtime.lazy import later
        later("json")
        print(sys.modules["json"] is json)
    """)
        == "True"
    )


def test_what_a_module_does_not_have_is_not_there() -> None:
    assert (
        answer("""
        from gates.runtime.lazy import later
        later("colorsys")
        import colorsys
        print(hasattr(colorsys, "no_such_function"), hasattr(colorsys, "rgb_to_hls"))
    """)
        == "False True"
    )


def test_a_first_operation_loads_neither_an_encoder_nor_the_syntax_tree_of_the_policy_engine(
    state: Path, start: Start
) -> None:
    start().close()
    assert (
        answer(f"""
        from pathlib import Path
        from gates.runtime.core import Runtime
        state = Path({str(state)!r})
        runtime = Runtime.start(state / "config.json", state)
        runtime.perform("extensions", {{"add": ["redact_1"], "events": [{{"kind": "saved", "text": "a"}}]}})
        runtime.close()
        import cedarpy
        lazy = "PolicySet" not in vars(cedarpy.pst)
        tree = cedarpy.policies_to_pst("permit(principal, action, resource);")
        print("orjson" in sys.modules, lazy, type(tree).__module__)
    """)
        == "False True cedarpy.pst"
    )
