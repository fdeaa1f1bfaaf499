"""What uploads ask for and are answered, protocol by protocol: pure functions and values."""
