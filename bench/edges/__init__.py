"""How good edges are, end to end, beside other tools; and what they cost."""
