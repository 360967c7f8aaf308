"""A scorecard, or the results of one client, as one page for browsers: it needs nothing else."""

from harness.report.html.page import to_html

__all__ = ["to_html"]
