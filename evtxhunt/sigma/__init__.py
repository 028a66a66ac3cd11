"""Sigma rules on a case: rules are read, compiled to SQL over the case's own fields, and run; hits become findings.

load -> predicate (what a rule asks, free of pySigma and of SQL) -> sql (for the columns that fields finds in a case)
-> engine_sql (hits) -> findings. Nothing here writes to the case.
"""
