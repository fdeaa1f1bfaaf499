"""What pushing a file to an upload server means: pure, for the three protocols."""
