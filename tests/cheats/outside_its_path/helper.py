"""Not declared."""

from collections import Counter

__all__ = ["Counter"]
