import pytest

from services.gateway.catalogue.reader import read_catalogue
from services.gateway.catalogue.rows import CatalogueFormat, RowError
from tests.unit.gateway.catalogue.files import PHOTO, SHOPIFY_SINCE_2024, shopify

FRONT, BACK, RED = f"{PHOTO}front.jpg?v=1", f"{PHOTO}back.jpg?v=1", f"{PHOTO}red.jpg?v=1"


def items(content: bytes) -> list[tuple[int, str, str, str]]:
    catalogue = read_catalogue(content)
    assert catalogue.format == CatalogueFormat.SHOPIFY
    return [(row.row_number, row.sku, row.image_url, row.error_reason) for row in catalogue.rows]


def test_product_with_several_images_is_one_item_with_the_main_one() -> None:
    assert items(
        shopify(
            {"Handle": "mug", "Title": "Mug", "Body (HTML)": "<p>\n,\n</p>", "Variant SKU": "M", "Image Src": FRONT},
            {"Handle": "mug", "Image Src": BACK, "Image Position": "2"},
        )
    ) == [(2, "M", FRONT, "")]


def test_main_image_is_the_one_of_lowest_position() -> None:
    assert items(
        shopify(
            {"Handle": "mug", "Title": "Mug", "Variant SKU": "M", "Image Src": BACK, "Image Position": "2"},
            {"Handle": "mug", "Image Src": FRONT, "Image Position": "1"},
        )
    ) == [(2, "M", FRONT, "")]


def test_variant_has_its_own_image_or_else_the_products() -> None:
    assert items(
        shopify(
            {"Handle": "mug", "Title": "Mug", "Option1 Value": "Blue", "Variant SKU": "B", "Image Src": FRONT},
            {"Handle": "mug", "Option1 Value": "Red", "Variant SKU": "R", "Image Src": BACK, "Variant Image": RED},
            {"Handle": "mug", "Option1 Value": "Green", "Variant SKU": "G"},
        )
    ) == [(2, "B", FRONT, ""), (3, "R", RED, ""), (4, "G", FRONT, "")]


def test_line_without_handle_belongs_to_the_product_above() -> None:
    assert items(
        shopify(
            {"Handle": "mug", "Title": "Mug", "Variant SKU": "M"},
            {"Image Src": FRONT},
            {"Handle": "jug", "Title": "Jug", "Variant SKU": "J", "Image Src": BACK},
        )
    ) == [(2, "M", FRONT, ""), (4, "J", BACK, "")]


def test_lines_of_a_product_need_not_be_together() -> None:
    assert items(
        shopify(
            {"Handle": "mug", "Title": "Mug", "Variant SKU": "M"},
            {"Handle": "jug", "Title": "Jug", "Variant SKU": "J", "Image Src": BACK},
            {"Handle": "mug", "Image Src": FRONT, "Image Position": "1"},
        )
    ) == [(2, "M", FRONT, ""), (3, "J", BACK, "")]


def test_variants_without_sku_go_by_the_handle_once_per_image() -> None:
    assert items(
        shopify(
            {"Handle": "mug", "Title": "Mug", "Option1 Value": "S", "Image Src": FRONT},
            {"Handle": "mug", "Option1 Value": "M"},
            {"Handle": "mug", "Option1 Value": "Red", "Variant Image": RED},
        )
    ) == [(2, "mug", FRONT, ""), (4, "mug", RED, "")]


def test_product_without_image_is_an_error_of_its_row() -> None:
    assert items(shopify({"Handle": "mug", "Title": "Mug", "Variant SKU": "M"})) == [(2, "M", "", RowError.URL_MISSING)]


def test_broken_line_takes_its_place_among_the_others() -> None:
    content = shopify(
        {"Handle": "mug", "Title": "Mug", "Variant SKU": "M", "Image Src": FRONT},
        {"Handle": "jug", "Title": "Jug", "Variant SKU": "J", "Image Src": BACK},
    )
    head, mug, jug = content.splitlines(keepends=True)
    assert items(head + mug + mug.rstrip() + b",one,two\n" + jug) == [
        (2, "M", FRONT, ""),
        (3, "", "", RowError.COLUMNS),
        (4, "J", BACK, ""),
    ]


@pytest.mark.parametrize("title", ["Mug", ""])
def test_newer_names_of_the_columns(title: str) -> None:
    assert items(
        shopify(
            {"URL handle": "mug", "Title": title, "SKU": "M", "Product image URL": FRONT, "Image position": "1"},
            {"URL handle": "mug", "SKU": "R", "Variant image URL": RED},
            header=SHOPIFY_SINCE_2024,
        )
    ) == [(2, "M", FRONT, ""), (3, "R", RED, "")]
