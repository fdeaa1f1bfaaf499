"""Everything that reads what a peer sent, fed with what no honest peer sends."""
