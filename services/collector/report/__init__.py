"""A session's report: figures in JSON, and a page with plots.

What is here is light; drawing is imported by `__main__` alone.
"""

# The files of a report, in the order in which they are written.
NAMES = ("report.json", "report.html")

# How `python -m services.collector.report` ends, beside 0 and 1: the journal has no such session;
# the report is written, and pairs of the session still wait for their scores.
STATUS_UNKNOWN_SESSION = 3
STATUS_SCORES_OWED = 4
