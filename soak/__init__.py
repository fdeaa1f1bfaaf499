"""
Everything at once for a while, with faults: serve, download, receive, steer, kill, reload.

``make soak`` (``SOAK_SECONDS``, by default 60) prints a table and ends with 1 where an octet
was wrong, a job or an upload was lost, memory grew or descriptors stayed open.
"""
