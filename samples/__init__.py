"""Synthetic Windows event logs: an EVTX writer of our own and the scenarios written with it."""
