"""The parts of ``rangectl``: how the daemon is found, asked, and what is shown of its answers."""
