"""Octets leave and arrive: mounts, ranges, bodies, uploads."""
