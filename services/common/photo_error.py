"""What is wrong with a photo, for whoever handles photos, decoded or not."""

from collections.abc import Mapping


class PhotoError(ValueError):
    """A photo that cannot be used.

    Attributes:
        reason: one of the codes below, for machines.
        message: what is wrong and the limit, for people.
        metadata: measured values and limits by name, e.g. {"width_px": "1", "min_side_px": "2"}.

    Reasons:
        PHOTO_EMPTY: no bytes.
        PHOTO_TOO_LARGE: more bytes than `PhotoLimits.max_bytes`.
        PHOTO_NOT_AN_IMAGE: the bytes are no picture format known.
        PHOTO_UNSUPPORTED: a picture, but of a format or kind that is not decoded; the message names it.
        PHOTO_TOO_MANY_PIXELS: the header claims more than `PhotoLimits.max_pixels`.
        PHOTO_TOO_SMALL: a side is shorter than `PhotoLimits.min_side_px`.
        PHOTO_METADATA_TOO_LARGE: text or profiles in the file expand beyond what is sane.
        PHOTO_TRUNCATED: the file ends before its pixels do.
        PHOTO_CORRUPT: the file is damaged.
        PHOTO_DECODE_MEMORY: decoding takes more memory than there is, or than a photo may take.
        PHOTO_DECODE_TIMEOUT, PHOTO_DECODER_CRASHED: the decoder was ended, or ended itself; only where it runs in a
            process of its own, see `services.common.decoder`.
        MATTE_*: the same for a matte, and MATTE_NOT_GREY for anything but an 8-bit grey PNG.
    """

    def __init__(self, reason: str, message: str, metadata: Mapping[str, str] | None = None) -> None:
        super().__init__(reason, message, metadata)
        self.reason = reason
        self.message = message
        self.metadata: Mapping[str, str] = dict(metadata or {})

    def __str__(self) -> str:
        return self.message
