"""Files that arrive: four protocols over one store, each a thin adapter."""
