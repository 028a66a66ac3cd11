"""Detections that the ground truth of the samples names and that are still to come.

One that has a file under queries/detections no longer belongs here; a test says so.
"""

PLANNED: set[str] = set()
