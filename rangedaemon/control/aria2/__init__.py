"""aria2's RPC interface, so that its clients steer this daemon unchanged."""
