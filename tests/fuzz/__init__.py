"""Inputs nobody meant: seeds of our own making, mutated. `make test` tries some, `make fuzz MINUTES=60` many.

corpus/          small photos, catalogues and messages; `python -m tests.fuzz.make_corpus` writes them
mutations.py     what is done to them
targets.py       who reads them, and what may come out
__main__.py      the long run; what it finds goes into corpus/ once mended
"""
