"""rangedaemon: serve ranges, pull files in segments, receive resumable uploads."""

__all__ = ["__version__"]

__version__ = "0.1.0"
