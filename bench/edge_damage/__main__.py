"""How well the edge measures tell clean packshots from damaged ones: the ground for the rules' thresholds.

Products with exact matte and colour are laid on white, cleanly and with each damage in graded strengths, encoded as
JPEGs of several qualities, and measured from the bytes alone and with the matte they were cut with. Half of the
products choose the thresholds, the other half says how well they do.

python -m bench.edge_damage [--scenes ../main/out/edges ...] [--folder out/edge_damage] [--share 0/2] [--table-only]
"""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path

from bench.edge_damage import measured, products
from bench.edge_damage.chart import chart
from bench.edge_damage.table import table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=Path, action="append", default=[], help="folder of rendered edge scenes")
    parser.add_argument(
        "--folder", type=Path, default=Path("out/edge_damage"), help="packshots and rows are kept there"
    )
    parser.add_argument("--share", default="0/1", help="i/n: the i-th part of the products, to run several at once")
    parser.add_argument("--table-only", action="store_true", help="no measuring: the table of the rows that are there")
    parser.add_argument("--output", type=Path, default=Path("bench/results/edge_damage.md"))
    arguments = parser.parse_args()
    if not arguments.table_only:
        sources = [
            measured.Source(name, products.group_of(name), order, partial(products.drawn, name))
            for order, name in enumerate(products.drawn_names())
        ]
        for folder in arguments.scenes:
            sources += [
                measured.Source(name, group, number, partial(products.rendered_from, folder, name, group, number))
                for name, group, number in products.rendered_names(folder)
            ]
        first, of = (int(part) for part in arguments.share.split("/"))
        measured.run(sources, arguments.folder, (first, of))
        if of > 1:
            return
    rows = list(measured.read(arguments.folder))
    text = table(rows)
    print(text)
    arguments.output.write_text(text, encoding="utf-8")
    arguments.output.with_suffix(".svg").write_text(chart(rows), encoding="utf-8")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
