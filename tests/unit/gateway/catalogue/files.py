"""Our own sample catalogues, as the tools that write them would."""

import csv
import io
from collections.abc import Iterable, Sequence

PHOTO = "https://cdn.example.com/photos/"


def table(
    rows: Iterable[Sequence[str]], *, delimiter: str = ",", end: str = "\r\n", quoting: int = csv.QUOTE_MINIMAL
) -> str:
    """CSV of rows, the header first; line breaks within cells become `end`, too."""
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, lineterminator="\n", quoting=quoting).writerows(rows)  # type: ignore[arg-type]
    return out.getvalue().replace("\n", end)


def generic(*rows: Sequence[str], header: Sequence[str] = ("sku", "image_url")) -> bytes:
    return table([header, *rows]).encode()


SHOPIFY = (
    *("Handle", "Title", "Body (HTML)", "Vendor", "Product Category", "Type", "Tags", "Published"),
    *("Option1 Name", "Option1 Value", "Variant SKU", "Variant Price", "Image Src", "Image Position", "Image Alt Text"),
    *("SEO Title", "Variant Image", "Status"),
)
SHOPIFY_SINCE_2024 = (
    *("Title", "URL handle", "Description", "Vendor", "Product category", "Type", "Tags", "Status", "SKU", "Barcode"),
    *("Option1 name", "Option1 value", "Price", "Product image URL", "Image position", "Image alt text"),
    *("Variant image URL", "Gift card"),
)


def shopify(*rows: dict[str, str], header: Sequence[str] = SHOPIFY) -> bytes:
    return table([header, *([row.get(name, "") for name in header] for row in rows)], end="\n").encode()


REPORT = (
    *("item-name", "item-description", "listing-id", "seller-sku", "price", "quantity", "open-date", "image-url"),
    *("item-is-marketplace", "product-id-type", "asin1", "asin2", "fulfillment-channel", "status"),
)


def listing_report(*rows: dict[str, str]) -> bytes:
    """Written without any quoting, as Amazon does."""
    lines = ["\t".join(REPORT), *("\t".join(row.get(name, "") for name in REPORT) for row in rows)]
    return "\n".join(lines).encode() + b"\n"


def flat_file(*rows: Sequence[str]) -> bytes:
    """Template as a seller saves it out of Excel: settings, labels in German, attributes' names, then rows."""
    return table(
        [
            ["TemplateType=fptcustom", "Version=2021.1014", "TemplateSignature=S0lUQ0hFTg==", "Images", ""],
            ["Produkttyp", "Verkäufer-SKU", "Marke", "URL des Hauptbildes", "Preis"],
            ["feed_product_type", "item_sku", "brand_name", "main_image_url", "standard_price"],
            *rows,
        ],
        delimiter="\t",
    ).encode("cp1252")
