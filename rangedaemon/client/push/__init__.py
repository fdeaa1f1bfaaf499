"""Octets of local files on their way to other servers."""
