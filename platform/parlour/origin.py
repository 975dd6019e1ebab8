"""Whether one of our own pages sent a request, by what the browser says and a page cannot forge."""

from collections.abc import Mapping
from urllib.parse import urlsplit


def is_same_origin(headers: Mapping[str, str]) -> bool:
    """`Sec-Fetch-Site` where the browser sends it, else `Origin`, else `Referer` against the host that was asked.

    Only the host is compared: behind a proxy the scheme seen here is not the one that the browser used.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    claimed = headers.get("origin") or headers.get("referer")
    host = headers.get("host")
    return bool(claimed and host) and urlsplit(claimed).netloc == host
