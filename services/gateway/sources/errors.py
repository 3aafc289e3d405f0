"""Why something could not be fetched."""


class SourceError(Exception):
    """A photo or catalogue could not be fetched.

    Attributes:
        reason: One of the codes below.
        message: What happened and what to do; names the host or bucket, never the URL's path, query or user.
        is_permanent: Asking again will not help.
        retry_after_s: How long the server asked to be left alone; None when it did not say.

    Reasons, permanent:
        SOURCE_URL_INVALID: Not a URL, or one whose host is no name.
        SOURCE_SCHEME_REFUSED: Not https, s3 or gs.
        SOURCE_USERINFO_REFUSED: A user or password in the URL.
        SOURCE_PORT_REFUSED: Another port than those allowed.
        SOURCE_ADDRESS_REFUSED: The host's address is private, loopback, link-local or otherwise not public.
        SOURCE_BUCKET_REFUSED: The bucket is not on the list.
        SOURCE_HOST_UNKNOWN: The name does not exist.
        SOURCE_CERTIFICATE_INVALID: The host cannot prove its name.
        SOURCE_NOT_FOUND: 404 or 410, or no such object.
        SOURCE_FORBIDDEN: 401 or 403, or the bucket does not let us read.
        SOURCE_STATUS_UNEXPECTED: Another status than 200 that is not the server's fault.
        SOURCE_TOO_MANY_REDIRECTS, SOURCE_REDIRECT_INVALID: It leads on and on, or to no URL.
        SOURCE_TOO_LARGE: More bytes than allowed.
        SOURCE_EMPTY: No bytes.
        SOURCE_ENCODED: Compressed although we asked for it as it is.
        SOURCE_NOT_AN_IMAGE: The bytes are no photo, or of a format that is not supported.

    Reasons, not permanent:
        SOURCE_TIMEOUT: Not all there in time.
        SOURCE_BUSY: 429.
        SOURCE_SERVER_FAILED: 408 or 5xx.
        SOURCE_CONNECTION_FAILED: Not reachable, or the connection broke.
    """

    def __init__(self, reason: str, message: str, *, is_permanent: bool, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.is_permanent = is_permanent
        self.retry_after_s = retry_after_s
