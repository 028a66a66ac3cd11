"""Turns reports and results into text: pure functions that know no database and no command line."""
