"""A shadow and an arrangement, asked for by the caller, through the four real services."""

import json
import shutil
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from PIL import Image

from packshot.cli.local import LocalStack
from packshot.client import PackshotClient
from packshot.v1.report_pb2 import RESOLUTION_AUTO_CORRECTED, RULE_STATUS_PASS
from services.common.photo import encode_jpeg
from tests.helpers import product_photos

RULES = Path(__file__).parents[2] / "rules"
ENDED = {"2020-01-01": {"value": None, "sources": ["packshot"]}}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PackshotClient]:
    """The services with one more marketplace, "shop": as amazon-us, but a soft shadow is welcome."""
    rules = tmp_path_factory.mktemp("shop") / "rules"
    shutil.copytree(RULES, rules)
    target = yaml.safe_load((rules / "packs/amazon-common/pack.yaml").read_text())["target"]
    pack = {
        "id": "shop",
        "version": "1.0.0",
        "extends": "amazon-us",
        "title": "A shop that likes shadows",
        "target": target | {"allows_shadow": True},
        "rules": [
            {"id": "background-white", "measurement": "background_purity_unshaded"},
            {"id": "background-clean", "values": ENDED},
            {"id": "no-leftover-translucency", "values": ENDED},
            {"id": "no-halo", "values": {"2020-01-01": {"value": 7, "sources": ["packshot"]}}},
        ],
    }
    (rules / "packs/shop").mkdir()
    (rules / "packs/shop/pack.yaml").write_text(json.dumps(pack))  # which is YAML, too
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VALIDATOR_RULES_DIR", str(rules))
        with LocalStack(("classical",)) as stack, PackshotClient(stack.address, timeout_s=100) as client:
            yield client


def test_a_shadow_is_drawn_where_it_is_allowed_and_elsewhere_the_report_says_why_not(shop: PackshotClient) -> None:
    allowed, refused = shop.process(
        product_photos.mug_jpeg(), marketplaces=["shop", "amazon-es"], category="home-kitchen", shadow="soft"
    ).results

    shaded, plain = (decoded(result.images[0].content) for result in (allowed, refused))
    below = slice(allowed.report.placement.product.y + allowed.report.placement.product.height + 4, None)
    assert shaded[below].min() < 225
    assert (shaded[[0, -1]] == 255).all() and (shaded[:, [0, -1]] == 255).all()
    assert plain[below].min() > 240
    assert not allowed.report.findings
    assert [(f.code, f.resolution) for f in refused.report.findings] == [
        ("SHADOW_NOT_ALLOWED", RESOLUTION_AUTO_CORRECTED)
    ]
    # Our own shadow is not called dirt, neither when it is made nor when the file is checked later.
    (checked,) = shop.check(allowed.images[0].content, marketplaces=["shop"]).reports
    for report in (allowed.report, checked):
        rules = {rule.rule_id: rule.status for rule in report.rules}
        assert rules["background-white"] == RULE_STATUS_PASS
        assert report.compliant


def test_loose_pieces_are_arranged_on_request_and_the_report_says_so(shop: PackshotClient) -> None:
    kept, arranged = (
        shop.process(two_plates_jpeg(), category="home-kitchen", arrangement=arrangement).results[0].report
        for arrangement in ("keep", "arrange")
    )

    assert not kept.findings
    assert [(f.code, f.resolution) for f in arranged.findings] == [("PIECES_ARRANGED", RESOLUTION_AUTO_CORRECTED)]
    assert arranged.placement.scale > 1.5 * kept.placement.scale
    assert arranged.compliant


def two_plates_jpeg() -> bytes:
    """Two plates at the ends of a wide photo."""
    photo = np.full((500, 1200, 3), 215, np.uint8)
    for col in (160, 1040):
        cv2.ellipse(photo, (col, 250), (130, 90), 0, 0, 360, (30, 90, 130), -1, cv2.LINE_AA)
    noise = np.random.default_rng(7).normal(0, 1.5, photo.shape)
    return encode_jpeg(np.clip(np.rint(photo + noise), 0, 255).astype(np.uint8), 92)


def decoded(content: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(BytesIO(content)))
