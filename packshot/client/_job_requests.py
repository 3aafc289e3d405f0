"""Requests about jobs and reviews out of plain Python values."""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from google.protobuf.descriptor import EnumDescriptor

from packshot.client._requests import (
    CHUNK_BYTES,
    Photo,
    ProcessArguments,
    Region,
    bounding_box,
    process_options,
    read_photo,
)
from packshot.report import enum_word
from packshot.v1 import jobs_pb2 as pb
from packshot.v1.image_pb2 import PointHint
from packshot.v1.reviews_pb2 import RedoHints

JobStateName = Literal["open", "reading", "running", "completed", "cancelled", "failed"]
JobItemStateName = Literal["queued", "running", "succeeded", "failed", "cancelled"]
ReviewStateName = Literal["waiting", "approved", "rejected", "redone"]
ResultsFormatName = Literal["csv", "json_lines"]

ENDED: Final = frozenset((pb.JOB_STATE_COMPLETED, pb.JOB_STATE_CANCELLED, pb.JOB_STATE_FAILED))


@dataclass(frozen=True, slots=True)
class JobPhoto:
    """One item of a job.

    Attributes:
        key: Yours, unique within the job: up to 256 of A-Z a-z 0-9 . _ : / - and space. Only photos behind URLs may
            go without: theirs is made of position and SKU.
        photo: An https, s3 or gs URL, a file, or a photo's bytes.
        sku: The seller's name of the product.
        category, marketplaces: Where they differ from the job's.
    """

    key: str
    photo: str | Photo
    sku: str = ""
    category: str = ""
    marketplaces: Sequence[str] = ()


class JobArguments(ProcessArguments, total=False):
    """What can be said about a job beside what is asked for each photo.

    request_id: The same one with the same content gives the same job, whenever it is asked for; left out, every call
        makes a job.
    label: Your name for it.
    priority: 1 is worked on before 9; 5 when left out.
    webhook_url: An https URL that is told of every item and of the job's end.
    """

    request_id: str
    label: str
    priority: int
    webhook_url: str


def create_request(
    arguments: JobArguments,
    *,
    items: Sequence[JobPhoto] | None,
    catalogue: bytes | None,
    catalogue_url: str | None,
    uploads: Sequence[JobPhoto] | None,
) -> pb.CreateJobRequest:
    """The request for a job of exactly one of the four; reads the files among `items`.

    Raises:
        ValueError: None, or more than one of the four is given.
        InvalidArgumentError: A file cannot be read, or is empty.
    """
    given = [source for source in (items, catalogue, catalogue_url, uploads) if source is not None]
    if len(given) != 1:
        raise ValueError("give exactly one of items, catalogue, catalogue_url and uploads")
    request = pb.CreateJobRequest(
        # Without an id of the caller's, one that only repetitions of this very call share.
        request_id=arguments.get("request_id") or uuid.uuid4().hex,
        label=arguments.get("label", ""),
        options=process_options(arguments),
        priority=arguments.get("priority", 0),
        webhook_url=arguments.get("webhook_url", ""),
    )
    if items is not None:
        request.items.items.extend(map(_source, items))
    elif catalogue is not None:
        request.catalogue = catalogue
    elif catalogue_url is not None:
        request.catalogue_url = catalogue_url
    else:
        request.accepts_uploads = True
    return request


def _source(photo: JobPhoto) -> pb.JobItemSource:
    source = pb.JobItemSource(
        item_key=photo.key, sku=photo.sku, category=photo.category, marketplaces=photo.marketplaces
    )
    if isinstance(photo.photo, str):
        source.url = photo.photo
    else:
        source.content = read_photo(photo.photo)
    return source


def upload_start(job_id: str, *, complete: bool) -> pb.UploadJobItemsRequest:
    """The first message of an upload."""
    return pb.UploadJobItemsRequest(start=pb.UploadStart(job_id=job_id, complete=complete))


def upload_messages(photos: Iterable[JobPhoto]) -> Iterator[pb.UploadJobItemsRequest]:
    """Each photo's announcement and its chunks; a file is read when its turn comes.

    An empty one is sent as it is: its item fails, and the others do not.

    Raises:
        InvalidArgumentError: A file cannot be read.
        ValueError: A photo is a URL.
    """
    for photo in photos:
        if isinstance(photo.photo, str):
            raise ValueError(f"{photo.photo} is a URL: only files and bytes are uploaded")  # noqa: TRY004
        data = read_photo(photo.photo, may_be_empty=True)
        yield pb.UploadJobItemsRequest(
            item=pb.UploadItem(
                item_key=photo.key, sku=photo.sku, category=photo.category, marketplaces=photo.marketplaces
            )
        )
        for start in range(0, max(len(data), 1), CHUNK_BYTES):
            piece = data[start : start + CHUNK_BYTES]
            chunk = pb.UploadChunk(data=piece, last=start + CHUNK_BYTES >= len(data))
            yield pb.UploadJobItemsRequest(chunk=chunk)


def redo_hints(
    region_of_interest: Region | None,
    include: Iterable[tuple[int, int]],
    exclude: Iterable[tuple[int, int]],
    marketplaces: Sequence[str],
) -> RedoHints:
    """What a person says about a photo, as a message; points are (x, y) of the upright photo.

    Raises:
        ValueError: There is not one hint: it would be done as before.
    """
    points = [PointHint(x=x, y=y, include=True) for x, y in include]
    points += [PointHint(x=x, y=y, include=False) for x, y in exclude]
    hints = RedoHints(region_of_interest=bounding_box(region_of_interest), points=points, marketplaces=marketplaces)
    if hints == RedoHints():
        raise ValueError("give at least one hint: a region, a point, or a marketplace")
    return hints


def numbers(enum: EnumDescriptor, words: Sequence[str]) -> list[Any]:
    """Values of an enum by their words, e.g. ["failed"].

    Raises:
        ValueError: There is no such word.
    """
    known = {enum_word(enum, number) or "": number for number in enum.values_by_number if number}
    for word in words:
        if word not in known:
            raise ValueError(f"unknown state {word!r}: choose from {', '.join(known)}")
    return [known[word] for word in words]


def results_format(name: ResultsFormatName) -> "pb.ResultsFormat.ValueType":
    """The number of a format.

    Raises:
        ValueError: There is no such format.
    """
    formats = {"csv": pb.RESULTS_FORMAT_CSV, "json_lines": pb.RESULTS_FORMAT_JSON_LINES}
    if name not in formats:
        raise ValueError(f"unknown format {name!r}: choose from {', '.join(formats)}")
    return formats[name]
