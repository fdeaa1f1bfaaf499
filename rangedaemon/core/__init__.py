"""The ground floor: decisions as pure functions and values, without I/O or clock."""
