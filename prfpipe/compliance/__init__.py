"""The doctrine's invariants over the project, over one bundle and over an archive; and an archive audited whole.

report.py    what such a check ends with, and its events
project.py   INV-PRF-PRINCIPLES: each principle has a metric and a gate; where each concern is implemented
bundle.py    INV-PRF-ARTIFACTS, -PROFILED and -COMPAT over one bundle
archive.py   all four, with one bundle of each lever

every_bundle.py       each bundle of a store audited, and the chains between them
every_bundle_text.py  that in words
seen.py               where each chain ended when it was audited last
"""

from prfpipe.compliance.report import Compliance, Lack

__all__ = ["Compliance", "Lack"]
