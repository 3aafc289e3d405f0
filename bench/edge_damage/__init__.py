"""What the edge measures say about packshots whose edges are clean, and about the same ones damaged on purpose."""
