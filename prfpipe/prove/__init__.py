"""Proof that the candidate does what the baseline does, and that the oracle would see it if it did not."""

from typing import TYPE_CHECKING

from prfpipe.prove.failures import failures, passed

if TYPE_CHECKING:
    from prfpipe.prove.proof import prove

__all__ = ["failures", "passed", "prove"]


def __getattr__(name: str) -> object:
    # An audit asks for `failures` only and must not load what starts processes.
    if name == "prove":
        from prfpipe.prove.proof import prove

        return prove
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
