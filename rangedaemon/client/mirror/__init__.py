"""A mirror: a copy of a folder at an origin, kept up to date."""
