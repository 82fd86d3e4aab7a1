"""Evaluations: recorded cases done again with versions of a template, side by side."""

from workers.prompt_lab.report import REPORT, CaseDone, Done, Report, VersionReport

__all__ = ["REPORT", "CaseDone", "Done", "Report", "VersionReport"]
