"""Run directories turned into one HTML file that stands alone: no network, no plotting library."""

from eqagents.report.data import ReportData, load_report_data
from eqagents.report.report import is_report, render_report

__all__ = ["ReportData", "is_report", "load_report_data", "render_report"]
