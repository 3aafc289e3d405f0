"""What a receiver believes of a call, and what not."""

import pytest

from packshot.webhooks import SeenDeliveries, WebhookError, verify

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - of this test
BODY = b'{"sequence":3,"type":"item_succeeded"}'
SENT_S = 1_764_547_200
ID = "wh_0123456789abcdef0123456789abcdef"
# By `printf '%s' "$SENT_S.$ID.$BODY" | openssl dgst -sha256 -hmac "$SECRET"`.
SIGNATURE = "920969f7921ce23bf2b2653998e9a3178b7b94bcdcd8b0ebf5fd691b0981dc8b"
HEADERS = {"Packshot-Delivery": ID, "Packshot-Signature": f"t={SENT_S},v1={SIGNATURE}"}


def test_a_call_that_is_ours() -> None:
    delivery = verify(SECRET, HEADERS, BODY, now_s=SENT_S + 2)
    assert delivery.delivery_id == ID
    assert delivery.timestamp_s == SENT_S
    assert delivery.event == {"sequence": 3, "type": "item_succeeded"}


def test_headers_may_be_in_any_case() -> None:
    lower = {name.lower(): value for name, value in HEADERS.items()}
    assert verify(SECRET, lower, BODY, now_s=SENT_S).delivery_id == ID


def test_one_of_several_signatures_is_enough() -> None:
    headers = HEADERS | {"Packshot-Signature": f"t={SENT_S},v1={'0' * 64},v1={SIGNATURE},v2=of-the-future"}
    assert verify(SECRET, headers, BODY, now_s=SENT_S).delivery_id == ID


@pytest.mark.parametrize(
    ("secret", "headers", "body"),
    [
        (SECRET, HEADERS, BODY.replace(b"3", b"4")),
        (SECRET, HEADERS, BODY + b" "),
        ("whsec_another", HEADERS, BODY),
        (SECRET, HEADERS | {"Packshot-Delivery": "wh_" + "f" * 32}, BODY),
        (SECRET, HEADERS | {"Packshot-Signature": f"t={SENT_S + 1},v1={SIGNATURE}"}, BODY),
        (SECRET, HEADERS | {"Packshot-Signature": f"t={SENT_S},v1={SIGNATURE[:-1]}"}, BODY),
        (SECRET, HEADERS | {"Packshot-Signature": f"t={SENT_S},v1=é"}, BODY),
    ],
    ids=["changed body", "longer body", "secret", "delivery id", "timestamp", "shorter signature", "no hexadecimal"],
)
def test_what_was_tampered_with_is_refused(secret: str, headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(WebhookError, match="signature does not fit"):
        verify(secret, headers, body, now_s=SENT_S)


@pytest.mark.parametrize("age_s", [301, 86_400, -301])
def test_an_old_call_and_one_of_the_future_are_refused(age_s: int) -> None:
    with pytest.raises(WebhookError, match="replay"):
        verify(SECRET, HEADERS, BODY, now_s=SENT_S + age_s)
    assert verify(SECRET, HEADERS, BODY, now_s=SENT_S + age_s, tolerance_s=90_000).delivery_id == ID


@pytest.mark.parametrize(
    "signature", ["", "v1=abc", f"t={SENT_S}", f"t={SENT_S},t=1,v1=abc", "t=soon,v1=abc", "t=²,v1=a", "t=1," * 999]
)
def test_a_header_that_is_none(signature: str) -> None:
    with pytest.raises(WebhookError, match="Packshot-Signature"):
        verify(SECRET, {"Packshot-Delivery": ID, "Packshot-Signature": signature}, BODY, now_s=SENT_S)


def test_an_empty_secret_is_the_receivers_mistake() -> None:
    with pytest.raises(ValueError, match="secret"):
        verify("", HEADERS, BODY)


class TestSeenDeliveries:
    def test_a_repeated_delivery_is_known(self) -> None:
        seen = SeenDeliveries()
        assert [seen.first_time(name) for name in ("wh_1", "wh_2", "wh_1")] == [True, True, False]

    def test_what_can_not_come_again_is_forgotten(self) -> None:
        now = 0.0
        seen = SeenDeliveries(keep_s=100, clock=lambda: now)
        assert seen.first_time("wh_1")
        now = 99.0
        assert not seen.first_time("wh_1")
        now = 100.0
        assert seen.first_time("wh_1")
