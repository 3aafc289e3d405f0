"""Photos and files of jobs between rows, the object store and callers."""

import asyncio
from collections.abc import Sequence

from packshot.v1.jobs_pb2 import JobFile
from services.gateway.objects import Objects, digest_of, photo_key
from services.gateway.state import proto
from services.gateway.state.tables import ResultFile


async def keep_photo(objects: Objects, tenant: str, photo: bytes) -> str:
    """Puts a photo into the store; returns its key.

    Raises:
        ObjectStoreError: It cannot be written.
    """
    key = photo_key(tenant, await asyncio.to_thread(digest_of, photo))
    await objects.put(key, photo)
    return key


async def file_messages(objects: Objects, files: Sequence[ResultFile], url_lifetime_s: float) -> list[JobFile]:
    """The files as callers see them, with URLs that fetch them for so long.

    Raises:
        ObjectStoreError: There is nothing to sign URLs with.
    """
    return [proto.file_message(file, await objects.signed_url(file.object, url_lifetime_s)) for file in files]
