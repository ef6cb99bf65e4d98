"""The doctrine's invariants over the project, over one bundle and over an archive.

report.py    what such a check ends with, and its events
project.py   INV-PRF-PRINCIPLES: each principle has a metric and a gate; where each concern is implemented
bundle.py    INV-PRF-ARTIFACTS, -PROFILED and -COMPAT over one bundle
archive.py   all four, with one bundle of each lever
"""

from prfpipe.compliance.report import Compliance, Lack

__all__ = ["Compliance", "Lack"]
