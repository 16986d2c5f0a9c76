"""The deployed functions, one folder each; none knows another."""
