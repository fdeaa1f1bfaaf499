"""The upload store: octets that arrive, the account of them, and their publication."""
