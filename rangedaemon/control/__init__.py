"""People and programs steer: REST, events, metrics, the command line."""
