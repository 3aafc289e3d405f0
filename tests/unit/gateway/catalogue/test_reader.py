import csv
import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.gateway.catalogue.reader import read_catalogue
from services.gateway.catalogue.rows import (
    MAX_ROWS,
    CatalogueError,
    CatalogueErrorReason,
    CatalogueFormat,
    CatalogueRow,
    RowError,
    item_key,
)
from tests.unit.gateway.catalogue.files import PHOTO, REPORT, flat_file, generic, listing_report, table

MUG = f"{PHOTO}mug.jpg"
JUG = f"{PHOTO}jug.jpg"


def rows_of(content: bytes) -> tuple[CatalogueRow, ...]:
    return read_catalogue(content).rows


def good(content: bytes) -> list[tuple[str, str]]:
    rows = rows_of(content)
    assert not [row for row in rows if row.error_reason]
    return [(row.sku, row.image_url) for row in rows]


def test_generic_row_has_its_own_category_and_marketplaces() -> None:
    catalogue = read_catalogue(
        generic(
            ("MUG-01", MUG, "Home Kitchen", "amazon-us; Amazon_DE amazon-us"),
            ("JUG-01", JUG, "", ""),
            header=("sku", "image_url", "category", "marketplaces"),
        )
    )
    assert catalogue.format == CatalogueFormat.GENERIC
    assert catalogue.rows == (
        CatalogueRow(2, "MUG-01", MUG, "home-kitchen", ("amazon-us", "amazon-de")),
        CatalogueRow(3, "JUG-01", JUG),
    )


@pytest.mark.parametrize(
    "header",
    ["SKU,Image URL", "Item-SKU, IMAGE_LINK ", '"id","title","image link"', "Product Code,price,Photo", "sku,url"],
)
def test_columns_go_by_several_names_in_any_case(header: str) -> None:
    names = header.count(",") + 1
    assert good(f"{header}\nA,{'x,' * (names - 2)}{MUG}\n".encode()) == [("A", MUG)]


def test_columns_may_stand_in_any_order_among_others() -> None:
    assert good(generic((MUG, "9.90", "A"), header=("image_url", "price", "sku"))) == [("A", MUG)]


def test_of_two_names_for_one_thing_the_surer_counts() -> None:
    assert good(generic(("77", "A", "https://shop.example.com/p", MUG), header=("id", "sku", "url", "image_url"))) == [
        ("A", MUG)
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_delimiter_and_line_ends_are_found_out(delimiter: str, end: str) -> None:
    rows = [("sku", "title", "image_url"), ("A", "a, b; c | d", MUG), ("B", "two\nlines", JUG), ("C", "", MUG)]
    assert good(table(rows, delimiter=delimiter, end=end).encode()) == [("A", MUG), ("B", JUG), ("C", MUG)]


def test_excel_says_its_delimiter_in_a_line_before() -> None:
    (row,) = rows_of(f"sep=;\r\nsku;image_url\r\nA;{MUG}\r\n".encode())
    assert (row.row_number, row.sku, row.image_url) == (3, "A", MUG)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1"]
)
def test_encoding_is_found_out(encoding: str) -> None:
    assert good(f"sku,image_url\nGRÜN-é,{MUG}\n".encode(encoding)) == [("GRÜN-é", MUG)]


def test_bytes_that_break_the_encoding_spoil_only_their_cell() -> None:
    content = f"sku,image_url\nA?,{MUG}\nB,{JUG}\n".encode("utf-8-sig").replace(b"?", b"\xff")
    assert good(content) == [("A�", MUG), ("B", JUG)]


def test_nul_bytes_are_left_out() -> None:
    assert good(f"sku,image_url\nA\0B,{MUG}\0\n".encode()) == [("AB", MUG)]


def test_empty_lines_are_counted_but_are_no_rows() -> None:
    rows = rows_of(f"\n\nsku,image_url\n\nA,{MUG}\n , \n,,,,\nB,{JUG}\n\n".encode())
    assert [(row.row_number, row.sku) for row in rows] == [(5, "A"), (8, "B")]


def test_row_number_is_the_line_the_row_begins_on() -> None:
    rows = rows_of(f'sku,title,image_url\nA,"one\ntwo\nthree",{MUG}\nB,,{JUG}\n'.encode())
    assert [(row.row_number, row.sku) for row in rows] == [(2, "A"), (5, "B")]


def test_missing_cells_at_the_end_are_empty() -> None:
    assert good(f"sku,image_url,category,marketplaces\nA,{MUG}\n".encode()) == [("A", MUG)]


def test_zeros_kept_for_excel_are_kept() -> None:
    assert good(generic(('="00123"', MUG))) == [("00123", MUG)]


@pytest.mark.parametrize(
    ("line", "reason", "part"),
    [
        (f",{MUG}", RowError.SKU_MISSING, "SKU is empty"),
        (f"{'S' * 257},{MUG}", RowError.SKU_INVALID, "at most 256"),
        (f'"A\nB",{MUG}', RowError.SKU_INVALID, "line break"),
        ("A,", RowError.URL_MISSING, "no image URL"),
        ("A", RowError.URL_MISSING, "no image URL"),
        ("A,mug.jpg", RowError.URL_INVALID, '"mug.jpg" is no URL'),
        ("A,https:///mug.jpg", RowError.URL_INVALID, "no URL"),
        ("A,file:///etc/passwd", RowError.URL_INVALID, "https://, s3:// or gs://"),
        ("A,javascript://x/%0aalert(1)", RowError.URL_INVALID, "no URL"),
        ("A,https://a.example.com/my mug.jpg", RowError.URL_INVALID, "%20"),
        (f"A,{MUG} {JUG}", RowError.URL_INVALID, "more than one"),
        (f'A,"{MUG}, {JUG}"', RowError.URL_INVALID, "more than one"),
        (f"A,{PHOTO}{'x' * 4096}", RowError.URL_INVALID, "at most 4,096"),
        (f"A,{MUG},Women > Shoes", RowError.CATEGORY_INVALID, "home-kitchen"),
        (f"A,{MUG},,Amazon.com", RowError.MARKETPLACE_INVALID, '"amazon.com"'),
        (f"A,{MUG},,{' '.join(f'm{i}' for i in range(17))}", RowError.MARKETPLACE_INVALID, "at most 16"),
        (f"A,{MUG},,,surplus", RowError.COLUMNS, "has 5 columns, the header 4"),
        (f'"A,{MUG}', RowError.QUOTES, "not closed"),
        (f"A,{MUG},{'c' * 140_000}", RowError.QUOTES, "131,072"),
        (f"Z,{JUG}", RowError.DUPLICATE, "line 2"),
    ],
)
def test_bad_row_says_why_and_the_others_stay(line: str, reason: RowError, part: str) -> None:
    content = f"sku,image_url,category,marketplaces\nZ,{JUG}\n{line}\nY,{JUG}\n".encode()
    before, bad, after = rows_of(content)
    assert (before.error_reason, after.error_reason, after.sku) == ("", "", "Y")
    assert (bad.row_number, bad.error_reason) == (3, reason)
    assert part in bad.error_message
    assert len(bad.sku) <= 256
    assert len(bad.image_url) <= 4096
    assert not re.search("[\x00-\x1f]", bad.sku + bad.image_url + bad.error_message)


def test_s3_and_gs_urls_may_hold_blanks() -> None:
    assert len(good(generic(("A", "s3://bucket/my mug.jpg"), ("B", "gs://bucket/b/jug.png")))) == 2


def test_one_sku_may_have_several_photos_and_one_photo_several_skus() -> None:
    assert good(generic(("A", MUG), ("A", JUG), ("B", MUG))) == [("A", MUG), ("A", JUG), ("B", MUG)]


def test_quote_never_closed_costs_one_row() -> None:
    lines = "".join(f"S{number},plain title,{MUG}\n" for number in range(1000))
    rows = rows_of(f'sku,title,image_url\nA,"oops, again,{MUG}\n{lines}'.encode())
    assert [(row.row_number, row.error_reason) for row in rows if row.error_reason] == [(2, RowError.QUOTES)]
    assert len(rows) == 1001


def test_stray_quotes_are_read_where_the_columns_tell_what_is_meant() -> None:
    content = f'sku,title,image_url\nA,12" pan,{MUG}\nB,"Nice" pan,{MUG}\nC,"Best, "really" best",{MUG}\nD,"x,{MUG}\n'
    assert good(content.encode()) == [("A", MUG), ("B", MUG), ("C", MUG), ("D", MUG)]


def test_item_keys_are_unique_names_of_files() -> None:
    skus = ["MUG 01/é", "..", "日本", "A:B\\C", "x" * 256]
    keys = [item_key(row) for row in rows_of(generic(*((sku, MUG) for sku in skus)))]
    assert keys[:4] == ["2-MUG-01", "3", "4", "5-A-B-C"]
    assert all(len(key) <= 256 for key in keys)


def test_listing_report_is_read_as_amazon_writes_it() -> None:
    content = listing_report(
        {"item-name": '"Nice shirt', "seller-sku": "SH-1", "image-url": MUG, "asin1": "B000000001"},
        {"item-name": '12" pan', "seller-sku": '"PA-1"', "image-url": JUG},
        {"item-name": "no picture", "seller-sku": "NO-1", "asin1": "B000000002"},
    )
    catalogue = read_catalogue(content)
    assert catalogue.format == CatalogueFormat.AMAZON_LISTING_REPORT
    assert [(row.row_number, row.sku, row.image_url, row.error_reason) for row in catalogue.rows] == [
        (2, "SH-1", MUG, ""),
        (3, "PA-1", JUG, ""),
        (4, "NO-1", "", RowError.URL_MISSING),
    ]


def test_listing_report_saved_as_csv_is_one_too() -> None:
    row = ["" for _ in REPORT]
    row[REPORT.index("seller-sku")], row[REPORT.index("image-url")] = "A", MUG
    catalogue = read_catalogue(table([REPORT, row]).encode())
    assert catalogue.format == CatalogueFormat.AMAZON_LISTING_REPORT
    assert catalogue.rows == (CatalogueRow(2, "A", MUG),)


def test_flat_file_has_three_lines_before_its_rows() -> None:
    catalogue = read_catalogue(flat_file(("KITCHEN", "MUG-Ü", 'Müller "&" Co', MUG, "9.90"), ("KITCHEN", "J", "", JUG)))
    assert catalogue.format == CatalogueFormat.AMAZON_FLAT_FILE
    assert catalogue.rows == (CatalogueRow(4, "MUG-Ü", MUG), CatalogueRow(5, "J", JUG))


def test_flat_file_with_qualified_names_says_where_its_rows_begin() -> None:
    image = "main_product_image_locator[marketplace_id=ATVPDKIKX0DER]#1.media_location"
    catalogue = read_catalogue(
        table(
            [
                ["settings=attributeRow=5&contentLanguageTag=en_US&dataRow=7&labelRow=4", "", ""],
                ["", "", ""],
                ["Listing Identity", "", "Images"],
                ["SKU", "Product Type", "Main Image URL"],
                ["contribution_sku#1.value", "product_type#1.value", image],
                ["ABC123 (example)", "MUG", "https://www.example.com/example.jpg"],
                ["MUG-01", "MUG", MUG],
            ],
            delimiter="\t",
        ).encode()
    )
    assert catalogue == type(catalogue)(CatalogueFormat.AMAZON_FLAT_FILE, (CatalogueRow(7, "MUG-01", MUG),))


def test_flat_file_without_its_first_lines_is_known_by_its_names() -> None:
    catalogue = read_catalogue(f"item_sku\tbrand_name\tmain_image_url\nA\tx\t{MUG}\n".encode())
    assert catalogue.format == CatalogueFormat.AMAZON_FLAT_FILE


@pytest.mark.parametrize(
    ("content", "reason", "parts"),
    [
        (b"", CatalogueErrorReason.EMPTY, ["empty"]),
        (b" \r\n\r\n", CatalogueErrorReason.EMPTY, ["empty"]),
        (b"\xef\xbb\xbf", CatalogueErrorReason.EMPTY, ["empty"]),
        (b"sku,image_url\n\n", CatalogueErrorReason.EMPTY, ["no rows"]),
        (b"PK\x03\x04rest", CatalogueErrorReason.NOT_TEXT, ["Excel", "CSV UTF-8"]),
        (b"\xff\xd8\xff\xe0rest", CatalogueErrorReason.NOT_TEXT, ["JPEG"]),
        (b"<!DOCTYPE html><html>", CatalogueErrorReason.NOT_TEXT, ["web page"]),
        (b"sku,price\nA,1\n", CatalogueErrorReason.COLUMNS_MISSING, ["no column image_url", '"sku", "price"']),
        (b"foo;bar\n1;2\n", CatalogueErrorReason.COLUMNS_MISSING, ["sku and no column image_url"]),
        (b"A,https://a.example.com/a.jpg\n", CatalogueErrorReason.COLUMNS_MISSING, ["first line must name"]),
        (b"Handle,Title,Variant SKU\nh,t,s\n", CatalogueErrorReason.COLUMNS_MISSING, ["Image Src", "shopify"]),
        (b"seller-sku\tasin1\nA\tB0\n", CatalogueErrorReason.COLUMNS_MISSING, ["image-url", "listing-report"]),
        (b"TemplateType=Offer\tVersion=1\nSKU\tPreis\n", CatalogueErrorReason.COLUMNS_MISSING, ["main_image_url"]),
    ],
)
def test_unreadable_whole_says_what_to_do(content: bytes, reason: CatalogueErrorReason, parts: list[str]) -> None:
    with pytest.raises(CatalogueError) as caught:
        read_catalogue(content)
    assert caught.value.reason == reason
    assert all(part in caught.value.message for part in parts), caught.value.message


def test_complaint_about_columns_stays_short() -> None:
    with pytest.raises(CatalogueError, match="and 4980 more") as caught:
        read_catalogue(",".join(f"column {number} {'x' * 60}" for number in range(5000)).encode())
    assert len(caught.value.message) < 1500


def test_rows_up_to_the_limit() -> None:
    header, row = b"sku,image_url\n", b"%d,https://a.example.com/a.jpg\n"
    content = header + b"".join(row % number for number in range(MAX_ROWS))
    assert len(rows_of(content + b"\n\n")) == MAX_ROWS
    with pytest.raises(CatalogueError, match="more than 50,000 rows; split it"):
        read_catalogue(content + b"\n" + row % MAX_ROWS)


def test_empty_lines_are_free_up_to_what_a_spreadsheet_holds() -> None:
    with pytest.raises(CatalogueError, match="more than 1,048,576 lines; delete the empty ones"):
        read_catalogue(b"sku,image_url\n" + b"\n" * 1_050_000)


SKUS = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=20).filter(
    lambda text: text == text.strip() and not text.startswith("=") and "\ufeff" not in text
)
TITLES = st.text(st.characters(exclude_characters="\0\r\ufeff", exclude_categories=["Cs"]), max_size=30)


@settings(max_examples=200, deadline=None)
@given(
    rows=st.lists(st.tuples(SKUS, TITLES), min_size=1, max_size=8, unique_by=lambda row: row[0]),
    delimiter=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252", "latin-1"]),
)
def test_what_a_csv_writer_writes_is_read_back(
    rows: list[tuple[str, str]], delimiter: str, end: str, quoting: int, encoding: str
) -> None:
    text = table(
        [("sku", "title", "image_url"), *((*row, MUG) for row in rows)], delimiter=delimiter, end=end, quoting=quoting
    )
    try:
        content = text.encode(encoding)
    except UnicodeEncodeError:
        assume(False)
    if encoding in ("cp1252", "latin-1"):  # some of their texts are valid in an encoding asked for before
        assume(not any(_reads_otherwise(content, other, text) for other in ("utf-8", "cp1252")))
    assert good(content) == [(sku, MUG) for sku, _ in rows]


def _reads_otherwise(content: bytes, encoding: str, text: str) -> bool:
    try:
        return content.decode(encoding) != text
    except UnicodeDecodeError:
        return False


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=400),
        st.binary(max_size=400).map(lambda rest: b"sku,image_url\n" + rest),
        st.binary(max_size=400).map(lambda rest: b"Handle\tVariant SKU\tImage Src\tImage Position\n" + rest),
        st.binary(max_size=400).map(lambda rest: b"TemplateType=x\tdataRow=99\nitem_sku\tmain_image_url\n" + rest),
        st.text('",;\t|\r\n A1\0', max_size=200).map(lambda text: b"sku,image_url\n" + text.encode()),
        st.text('",;\t|\r\n A1\0', max_size=200).map(lambda text: b"\xff\xfe" + text.encode("utf-16-le") + b"\0"),
    )
)
def test_whatever_bytes_come_there_are_rows_or_a_catalogue_error(content: bytes) -> None:
    try:
        rows = rows_of(content)
    except CatalogueError:
        return
    lines = [row.row_number for row in rows]
    assert lines == sorted(set(lines))
    keys = {item_key(row) for row in rows}
    assert len(keys) == len(rows)
    assert all(re.fullmatch(r"[A-Za-z0-9._-]{1,256}", key) for key in keys)
