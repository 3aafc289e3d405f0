"""Photos and catalogues from the URLs that callers name, without lending them our network.

    fetcher = Fetcher(SourceSettings())
    photo = await fetcher.fetch("https://shop.example/mug.jpg")

`pinned_transport` is what keeps every call away from private addresses, for other outgoing calls too.
"""

from services.gateway.sources.errors import SourceError
from services.gateway.sources.fetcher import Fetcher
from services.gateway.sources.settings import SourceSettings
from services.gateway.sources.transport import UnknownHostError, pinned_transport
from services.gateway.sources.urls import RefusedError

__all__ = ["Fetcher", "RefusedError", "SourceError", "SourceSettings", "UnknownHostError", "pinned_transport"]
