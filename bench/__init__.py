"""
The numbers: rangedaemon beside its peers, on one machine, in one run.

``make bench`` runs everything, ``python -m bench --only pull --size 1GiB --rounds 3``
a part.  Every contender gets the same file from the same origin, in turns, so that a
busy minute hurts all of them; tables show medians and the ratio to ours.  Peers that
are not installed are left out and named.
"""
