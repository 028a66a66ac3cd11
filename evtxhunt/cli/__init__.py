"""The command line: options in, a pipeline call, results out, an exit status."""

from evtxhunt.cli.app import app, main

__all__ = ["app", "main"]
