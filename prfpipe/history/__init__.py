"""The archive over time: a series for each lever and host, its change points, how much of an adopted gain is left.

A point is a bundle in the store: there is no second record of the nights that could disagree with the evidence.
"""

from prfpipe.history.series import Histories, histories

__all__ = ["Histories", "histories"]
