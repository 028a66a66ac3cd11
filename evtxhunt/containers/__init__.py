"""Reads event logs out of archives and disk images, as streams; nothing is unpacked by its name."""
