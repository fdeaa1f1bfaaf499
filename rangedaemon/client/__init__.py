"""Octets are fetched: origin, job, runner."""
