"""Files of answers as browsers get them: pictures to show, everything else to keep, nothing to run."""

from typing import Final
from urllib.parse import quote

from starlette.responses import Response

from parlour.turns.said import FileView

# What a browser shows as a picture and can do nothing else with. SVG is not among them: it may hold a script.
_PICTURES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})


def file_response(file: FileView) -> Response:
    """The file. What a skill calls its type decides nothing but whether it is shown or kept."""
    is_picture = file.media_type in _PICTURES
    how = "inline" if is_picture else "attachment"
    headers = {
        "Content-Disposition": f"{how}; filename*=UTF-8''{quote(file.name, safe='')}",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
        # Its own session's, so for no cache that others share.
        "Cache-Control": "private, max-age=3600",
    }
    media_type = file.media_type if is_picture else "application/octet-stream"
    return Response(file.content, media_type=media_type, headers=headers)
