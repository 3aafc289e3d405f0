"""Writes the corpus: a small photo of every kind, a catalogue of every kind, requests that are right.

python -m tests.fuzz.make_corpus
"""

from io import BytesIO
from typing import Any, Final

import numpy as np
import pillow_heif
from google.protobuf.message import Message
from numpy.typing import NDArray
from PIL import Image

from packshot.v1.compositor_pb2 import CanvasTarget, ComposeImageRequest
from packshot.v1.image_pb2 import BoundingBox, PointHint
from packshot.v1.jobs_pb2 import CreateJobRequest, JobItemSource, JobItemSources
from packshot.v1.packshot_pb2 import OUTPUT_JPEG, CheckImageRequest, LayoutOptions, ProcessImageRequest, ProcessOptions
from packshot.v1.rules_pb2 import GetRulePackRequest
from packshot.v1.segmenter_pb2 import SegmentImageRequest
from packshot.v1.validator_pb2 import ValidateImageRequest
from tests.fuzz.mutations import CORPUS
from tests.helpers import icc
from tests.helpers.hostile_photos import endless_jpeg
from tests.helpers.photos import exif_orientation, gradients, raw_png, save
from tests.unit.gateway.catalogue import files

_HEIGHT_PX: Final = 12
_WIDTH_PX: Final = 20


def corpus() -> dict[str, bytes]:
    """Every seed by its path."""
    return {
        f"{kind}/{name}": data
        for kind, made in (("photos", _photos()), ("catalogues", _catalogues()), ("messages", _messages()))
        for name, data in made.items()
    }


def _photos() -> dict[str, bytes]:
    color = gradients(_HEIGHT_PX, _WIDTH_PX)
    grey = color[..., 0]
    clear = np.dstack([color, grey])
    palette = Image.fromarray(color).quantize(8)
    frames = [Image.fromarray(color), Image.fromarray(color[::-1].copy())]
    animated: dict[str, Any] = {"save_all": True, "append_images": frames[1:], "duration": 100}
    samples = np.arange(_HEIGHT_PX * _WIDTH_PX * 3, dtype=">u2") * 90
    return {
        "baseline.jpg": save(color, "JPEG", quality=80),
        "progressive.jpg": save(color, "JPEG", progressive=True, exif=exif_orientation(6)),
        "cmyk.jpg": save(Image.fromarray(color).convert("CMYK"), "JPEG"),
        "profile.jpg": save(grey, "JPEG", icc_profile=icc.display_p3()),
        "many-scans.jpg": endless_jpeg(side_px=16, scans=20),
        "rgb.png": save(color, "PNG"),
        "rgba.png": save(clear, "PNG", exif=exif_orientation(3)),
        "palette.png": save(palette, "PNG", transparency=1),
        "rgb16.png": raw_png(_WIDTH_PX, _HEIGHT_PX, 16, 2, samples.tobytes()),
        "animated.png": save(frames[0], "PNG", **animated),
        "lossy.webp": save(clear, "WEBP", quality=50),
        "lossless.webp": save(color, "WEBP", lossless=True),
        "animated.webp": save(frames[0], "WEBP", **animated),
        "raw.tiff": save(color, "TIFF"),
        "lzw.tiff": save(clear, "TIFF", compression="tiff_lzw"),
        "jpeg.tiff": save(color, "TIFF", compression="jpeg"),
        "fax.tiff": save(Image.fromarray(grey).convert("1"), "TIFF", compression="group4"),
        "grey16.tiff": save(grey.astype(np.uint16) * 257, "TIFF", compression="tiff_deflate"),
        "pages.tiff": save(frames[0], "TIFF", save_all=True, append_images=frames[1:]),
        "color.avif": save(color, "AVIF", quality=30),
        "color.heic": _heic(color),
        "palette.gif": save(palette, "GIF"),
        "animated.gif": save(frames[0], "GIF", **animated),
        "rgb.bmp": save(color, "BMP"),
        "palette.bmp": save(palette, "BMP"),
    }


def _heic(image: NDArray[np.uint8]) -> bytes:
    out = BytesIO()
    pillow_heif.from_pillow(Image.fromarray(image)).save(out, quality=30)
    return out.getvalue()


def _catalogues() -> dict[str, bytes]:
    photo = files.PHOTO
    rows = [("MUG-01", f"{photo}mug.jpg"), ("JUG-02", f"{photo}jug.jpg"), ("Größe, 3", f"{photo}3.jpg")]
    plain = files.generic(*rows)
    optional = files.table(
        [
            ("sku", "image_url", "category", "marketplaces", "note"),
            ("MUG-01", f"{photo}mug.jpg", "home-kitchen", "amazon-us;amazon-de", 'a "mug",\nwith a handle'),
            ("JUG-02", "no url", "Home", "amazon us", ""),
        ]
    )
    product = {"Handle": "mug", "Variant SKU": "MUG-01", "Image Src": f"{photo}mug.jpg", "Image Position": "1"}
    new_product = {"URL handle": "mug", "SKU": "MUG-01", "Product image URL": f"{photo}mug.jpg", "Image position": "1"}
    report = {"seller-sku": "MUG-01", "image-url": f"{photo}mug.jpg", "asin1": "B000000001", "item-name": 'a 3" mug'}
    return {
        "plain.csv": plain,
        "utf-16.csv": plain.decode().encode("utf-16"),
        "windows.csv": plain.decode().encode("cp1252"),
        "excel.csv": b"sep=;\r\n" + plain.replace(b",", b";"),
        "optional.csv": optional.encode(),
        "shopify.csv": files.shopify(product, product | {"Variant SKU": "MUG-02", "Image Position": "2"}),
        "shopify-since-2024.csv": files.shopify(new_product, header=files.SHOPIFY_SINCE_2024),
        "amazon-report.txt": files.listing_report(report, report | {"seller-sku": "MUG-02", "image-url": ""}),
        "amazon-flat-file.txt": files.flat_file(["mug", "MUG-01", "Müller", f"{photo}mug.jpg", "9.99"]),
    }


def _messages() -> dict[str, bytes]:
    options = ProcessOptions(
        marketplaces=["amazon-us", "amazon-de"],
        category="home-kitchen",
        outputs=[OUTPUT_JPEG],
        region_of_interest=BoundingBox(x=1, y=2, width=30, height=40),
        layout=LayoutOptions(fill_ratio=0.87),
        as_of_date="2026-11-30",
        points=[PointHint(x=5, y=6, include=True)],
    )
    item = JobItemSource(item_key="1-MUG", sku="MUG", url="https://cdn.example.com/mug.jpg", category="home-kitchen")
    made: dict[str, Message] = {
        "process": ProcessImageRequest(photo=b"a photo", options=options, request_id="request-1"),
        "check": CheckImageRequest(image=b"an image", marketplaces=["amazon-us"], as_of_date="2026-11-30"),
        "job-of-items": CreateJobRequest(items=JobItemSources(items=[item]), options=options, priority=5),
        "job-of-a-catalogue": CreateJobRequest(catalogue=b"sku,image_url", webhook_url="https://example.com/hook"),
        "pack": GetRulePackRequest(id="amazon-us", category="electronics"),
        "segment": SegmentImageRequest(photo=b"a photo", points=[PointHint(x=1, y=1)]),
        "compose": ComposeImageRequest(
            photo=b"a photo",
            matte_png=b"a matte",
            targets=[CanvasTarget(target_id="a", width_px=1000, height_px=1000, fill_ratio=0.85, jpeg_quality=90)],
        ),
        "validate": ValidateImageRequest(image=b"an image", marketplaces=["amazon-us"], known={"upscale_factor": 1.2}),
    }
    return {f"{name}.bin": message.SerializeToString(deterministic=True) for name, message in made.items()}


def main() -> None:
    for path, data in corpus().items():
        (CORPUS / path).parent.mkdir(parents=True, exist_ok=True)
        (CORPUS / path).write_bytes(data)


if __name__ == "__main__":
    main()
