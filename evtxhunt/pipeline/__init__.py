"""Joins the stages: evidence to case, case to findings, case to report. The only place where they meet."""
