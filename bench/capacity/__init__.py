"""How many replicas so many photos an hour need, and what they cost; see docs/capacity.md."""
