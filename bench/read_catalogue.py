"""How fast catalogues are read and results written, and how much memory that takes.

python -m bench.read_catalogue [--rows 50000] [--output bench/results/read-catalogue.md]
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import io
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from packshot.v1.jobs_pb2 import JOB_ITEM_STATE_SUCCEEDED, JobFile, JobItem
from packshot.v1.packshot_pb2 import OUTPUT_JPEG
from packshot.v1.report_pb2 import RULE_STATUS_PASS, VERDICT_PUBLISH, Report, RuleResult
from services.gateway.catalogue.reader import read_catalogue
from services.gateway.jobs.export import csv_chunks, json_lines_chunks

PAGE = 500


def generic(rows: int) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(["sku", "image_url", "category", "marketplaces"])
    writer.writerows(
        [f"SKU-{i:06}", f"https://cdn.example.com/2026/{i}.jpg", "home-kitchen", "amazon-us;amazon-de"]
        for i in range(rows)
    )
    return out.getvalue().encode()


def shopify(rows: int) -> bytes:
    """50 columns, descriptions of two lines, five variants a product."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    names = ["Handle", "Title", "Body (HTML)", "Variant SKU", "Option1 Value", "Image Src", "Image Position"]
    writer.writerow([*names, *(f"Google Shopping / {i}" for i in range(43))])
    body = f"<p>{'words ' * 40}</p>\n<p>more</p>"
    writer.writerows(
        [f"h{i // 5}", "T", body, f"S{i}", "M", f"https://cdn.example.com/{i}.jpg", str(i % 5 + 1), *["value"] * 43]
        for i in range(rows)
    )
    return out.getvalue().encode()


def stray_quotes(rows: int) -> bytes:
    """A quote that is never closed in every row."""
    lines = (f'SKU-{i},"12 inch, big,https://cdn.example.com/{i}.jpg\n' for i in range(rows))
    return b"sku,title,image_url\n" + "".join(lines).encode()


def item(number: int) -> JobItem:
    rules = [RuleResult(rule_id=f"rule-{i}", title="A rule", status=RULE_STATUS_PASS) for i in range(20)]
    return JobItem(
        item_key=f"{number}-SKU",
        sku=f"SKU-{number}",
        row_number=number,
        state=JOB_ITEM_STATE_SUCCEEDED,
        verdict=VERDICT_PUBLISH,
        confidence=0.93,
        source=f"https://cdn.example.com/2026/{number}.jpg",
        reports=[Report(marketplace="amazon-us", verdict=VERDICT_PUBLISH, rules=rules)],
        files=[JobFile(marketplace="amazon-us", output=OUTPUT_JPEG, url="https://objects.example.com/" + "x" * 300)],
    )


async def pages(rows: int) -> AsyncIterator[Sequence[JobItem]]:
    for start in range(0, rows, PAGE):
        yield [item(number) for number in range(start, min(start + PAGE, rows))]


def exported(chunks: Callable[[AsyncIterator[Sequence[JobItem]]], AsyncIterator[bytes]], rows: int) -> int:
    async def total() -> int:
        return sum([len(chunk) async for chunk in chunks(pages(rows))])

    return asyncio.run(total())


def row(name: str, size: int, work: Callable[[], object]) -> str:
    start = time.process_time()
    work()
    seconds = time.process_time() - start
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return f"| {name} | {size / 2**20:.1f} | {seconds:.2f} | {peak / 2**20:.1f} |"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rows", type=int, default=50_000)
    arguments.add_argument("--output", type=Path, default=Path("bench/results/read-catalogue.md"))
    asked = arguments.parse_args()
    lines = [
        f"# Catalogues read and results written, {asked.rows:,} rows",
        "",
        "Memory is what Python (not protobuf) holds at most beyond the file itself; reading returns the rows, writing",
        f"streams pages of {PAGE} items, whose making is in the time, too.",
        "",
        "| what | MiB | CPU s | peak MiB |",
        "|---|---|---|---|",
    ]
    for make in (generic, shopify, stray_quotes):
        content = make(asked.rows)
        lines.append(row(f"read {make.__name__}", len(content), lambda content=content: read_catalogue(content)))  # type: ignore[misc]
    for chunks in (csv_chunks, json_lines_chunks):
        size = exported(chunks, asked.rows)
        lines.append(row(f"write {chunks.__name__}", size, lambda chunks=chunks: exported(chunks, asked.rows)))  # type: ignore[misc]
    asked.output.write_text("\n".join(lines) + "\n")
    print(asked.output.read_text())


if __name__ == "__main__":
    main()
