from tests.helpers.postgres import postgres
from tests.helpers.s3_server import s3_server

__all__ = ["postgres", "s3_server"]
