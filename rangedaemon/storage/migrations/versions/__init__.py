"""One file per revision, ``NNNN_what.py``; the number is the revision's id."""
