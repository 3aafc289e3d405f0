"""The signature is what docs/webhooks.md says, and what receivers verify."""

from datetime import UTC, datetime

from packshot.webhooks import verify
from services.gateway.webhooks.signing import signed_headers
from tests.unit.packshot.test_webhooks import BODY, HEADERS, ID, SECRET, SENT_S


def test_the_headers_are_those_of_the_documented_format() -> None:
    sent_at = datetime.fromtimestamp(SENT_S + 0.7, UTC)
    assert signed_headers(SECRET, ID, BODY, sent_at) == HEADERS


def test_receivers_believe_them() -> None:
    body = '{"sku":"Schälmesser №7"}'.encode()
    headers = signed_headers(SECRET, ID, body, datetime.now(UTC))
    assert verify(SECRET, headers, body).event == {"sku": "Schälmesser №7"}
