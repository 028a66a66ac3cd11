"""`python -m evtxhunt`, the same as the console script."""

from evtxhunt.cli import main

main()
