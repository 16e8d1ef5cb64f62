"""Images as bytes."""

from __future__ import annotations

import io

from PIL import Image


def png(image: Image.Image) -> bytes:
    sink = io.BytesIO()
    image.save(sink, format="png", compress_level=6)
    return sink.getvalue()
