"""Disk: part files, the journal, digests and served trees."""
