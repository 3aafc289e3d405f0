"""The rows of a Shopify product export: products over several lines, one item per variant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from services.gateway.catalogue.checks import Rows, record_error
from services.gateway.catalogue.layout import Layout
from services.gateway.catalogue.records import Record
from services.gateway.catalogue.rows import CatalogueRow


@dataclass(slots=True)
class _Product:
    name: str
    image_url: str = ""
    position: int = 0
    images: int = 0
    without_sku: set[str] = field(default_factory=set)
    """Images its variants without a SKU have been given; the variants cannot be told apart."""


@dataclass(frozen=True, slots=True)
class _Variant:
    line: int
    product: _Product
    sku: str
    image_url: str


def rows(found: Iterable[Record], layout: Layout) -> Iterator[CatalogueRow]:
    """One item per variant: its own image, or else the product's main one, that of the lowest Image Position.

    A line without a handle and a title belongs to the product above it; the lines of a product need not be together.
    Lines that only bring more images are no items. A variant without a SKU goes by the product's handle; several of
    them with one image are one item.
    """
    variants: list[_Variant | CatalogueRow] = list(_variants(found, layout))
    checked = Rows()
    for variant in variants:
        if isinstance(variant, CatalogueRow):
            yield variant
            continue
        url = variant.image_url or variant.product.image_url
        if not variant.sku:
            if url in variant.product.without_sku:
                continue
            variant.product.without_sku.add(url)
        yield checked.row(variant.line, variant.sku or variant.product.name, url)


def _variants(found: Iterable[Record], layout: Layout) -> Iterator[_Variant | CatalogueRow]:
    products: dict[str, _Product] = {}
    product = _Product("")
    for record in found:
        error = record_error(record, layout.columns, layout.delimiter)
        if error is not None:
            yield error
            continue
        cell = {
            role: record.cells[index].strip() if index < len(record.cells) else "" for role, index in layout.at.items()
        }
        handle, is_new = cell["handle"], False
        if handle:
            is_new = handle not in products
            product = products.setdefault(handle, _Product(handle))
        elif cell.get("title") or not products:
            is_new = True
            product = products.setdefault(f"line {record.line}", _Product(""))
        if cell["image_url"]:
            product.images += 1
            said = cell.get("position", "")
            position = int(said) if said.isdecimal() and len(said) < 6 else product.images
            if not product.image_url or position < product.position:
                product.image_url, product.position = cell["image_url"], position
        sku, image_url = cell.get("sku", ""), cell.get("variant_image", "")
        if is_new or sku or image_url or cell.get("option") or cell.get("price"):
            yield _Variant(record.line, product, sku, image_url)
