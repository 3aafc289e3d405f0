"""Photos and catalogues out of S3 and GCS buckets that the operator put on the list.

Credentials come from the standard environment of either: AWS_* (AWS_SHARED_CREDENTIALS_FILE, or the keys themselves;
AWS_ENDPOINT_URL for a server that is not Amazon's),
GOOGLE_APPLICATION_CREDENTIALS or GOOGLE_SERVICE_ACCOUNT.
"""

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import GCSStore, S3Store

from services.gateway.aws_credentials import shared_credentials
from services.gateway.sources.content import Expected, collect
from services.gateway.sources.errors import SourceError
from services.gateway.sources.settings import SourceSettings
from services.gateway.threads import Threads

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig  # obstore has them for type checkers only

SCHEMES: Final = frozenset({"s3", "gs"})


class Buckets:
    """Reads objects by URL. Buckets that are not on the list are not talked to."""

    def __init__(self, settings: SourceSettings) -> None:
        self._settings = settings
        self._threads = Threads("buckets")
        self._stores: dict[str, S3Store | GCSStore] = {}

    async def fetch(self, url: str, expected: Expected) -> bytes:
        """Reads s3://BUCKET/KEY or gs://BUCKET/KEY; the key stands as it is, not percent-encoded.

        Raises:
            SourceError: See its reasons.
        """
        scheme, _, rest = url.partition("://")
        name, _, key = rest.partition("/")
        bucket = f"{scheme.lower()}://{name}"
        if bucket not in self._settings.buckets:
            raise SourceError(
                "SOURCE_BUCKET_REFUSED",
                "this bucket is not read from; use an https URL, or have the operator add the bucket to the list",
                is_permanent=True,
            )
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                found = await self._threads.run(obstore.get, self._store(bucket), key)
                expected.check_size(found.meta["size"], bucket)
                return await collect(self._threads.each(map(bytes, found.stream())), expected, bucket)
        except TimeoutError as error:
            message = f"{bucket} took longer than {self._settings.timeout_s:g} s; try again later"
            raise SourceError("SOURCE_TIMEOUT", message, is_permanent=False) from error
        except FileNotFoundError as error:
            message = f"{bucket} has no such object; correct the URL"
            raise SourceError("SOURCE_NOT_FOUND", message, is_permanent=True) from error
        except (PermissionDeniedError, UnauthenticatedError) as error:
            message = f"{bucket} does not let us read this object; have its owner allow it"
            raise SourceError("SOURCE_FORBIDDEN", message, is_permanent=True) from error
        except ValueError as error:
            raise SourceError(
                "SOURCE_URL_INVALID", f"not a key of {bucket}; write {bucket}/KEY", is_permanent=True
            ) from error
        except (BaseError, OSError) as error:
            message = f"{bucket} cannot be read from now; try again later"
            raise SourceError("SOURCE_CONNECTION_FAILED", message, is_permanent=False) from error

    def close(self) -> None:
        """Reads nothing any more."""
        self._threads.close()

    def _store(self, bucket: str) -> S3Store | GCSStore:
        if bucket not in self._stores:
            scheme, _, name = bucket.partition("://")
            retries: RetryConfig = {
                "max_retries": self._settings.attempts - 1,
                "retry_timeout": timedelta(seconds=self._settings.timeout_s),
            }
            if scheme == "s3":
                self._stores[bucket] = S3Store(
                    name,
                    client_options=self._options(),
                    retry_config=retries,
                    credential_provider=shared_credentials(),
                )
            else:
                self._stores[bucket] = GCSStore(name, client_options=self._options(), retry_config=retries)
        return self._stores[bucket]

    def _options(self) -> "ClientConfig":
        return {
            "allow_http": True,  # the endpoint is the operator's, and https unless written otherwise
            "connect_timeout": timedelta(seconds=self._settings.connect_timeout_s),
            "timeout": timedelta(seconds=self._settings.timeout_s),
        }
