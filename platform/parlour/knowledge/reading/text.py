"""Bytes of unknown encoding as text."""

import codecs
import unicodedata
from pathlib import Path

from charset_normalizer import from_bytes

from parlour.knowledge.errors import DocumentUnreadable

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE_BYTES = 64_000
# Lead bytes of GB 2312's symbols and of its 3,755 commonest characters (level 1).
_GB_COMMON = (range(0xA1, 0xA4), range(0xB0, 0xD8))
_GB_SHARE = 0.8
# Joiners: Persian, Hindi and many emoji are written with them.
_JOINERS = "\u200c\u200d"


class _Seen(dict[int, int | None]):
    """For `str.translate`: drops the unseen characters, found out once for each."""

    def __missing__(self, code: int) -> int | None:
        one = chr(code)
        is_unseen = unicodedata.category(one) in {"Cc", "Cf", "Cs", "Co"} and one not in f"\n\t{_JOINERS}"
        self[code] = None if is_unseen else code
        return self[code]


_SEEN = _Seen()


def read_text(path: Path) -> str:
    """The file's text, in Unicode's composed form. Raises `DocumentUnreadable`."""
    return clean(decode(path.read_bytes()))


def decode(data: bytes) -> str:
    """Text of any common encoding. Raises `DocumentUnreadable` for what is no text."""
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return _strict(data, encoding)
    if b"\0" in data[:_SAMPLE_BYTES]:
        raise DocumentUnreadable("is no text: it holds binary data. Save it as UTF-8 text, or name it as what it is.")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return _strict(data, _guess(data))


def clean(text: str) -> str:
    """`text` composed (NFC), with one kind of line end and without what nobody sees.

    Unseen characters (tags, zero-width and direction marks) can hide instructions from people but not from a model.
    """
    lines = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n")
    return lines.translate(_SEEN)


def _guess(data: bytes) -> str:
    sample = data[:_SAMPLE_BYTES]
    if _is_gb18030(sample):
        return "gb18030"
    found = from_bytes(sample).best()
    if found is None:
        raise DocumentUnreadable("is of an unknown encoding. Save it as UTF-8.")
    return str(found.encoding)


def _is_gb18030(sample: bytes) -> bool:
    """Whether most of what is not ASCII is common Chinese: short texts are too little for statistics."""
    # The sample may end in the middle of a character.
    text = codecs.getincrementaldecoder("gb18030")(errors="replace").decode(sample)
    leads = [one.encode("gb18030")[0] for one in text if not one.isascii()]
    common = sum(any(lead in rows for rows in _GB_COMMON) for lead in leads)
    return "\ufffd" not in text and common >= _GB_SHARE * len(leads)


def _strict(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        raise DocumentUnreadable(f"is not all {encoding}, as its beginning says. Save it as UTF-8.") from None
