"""Wheels of skills, as somebody would upload them."""

import zipfile
from io import BytesIO
from pathlib import Path


def wheel(folder: Path, *, version: str = "0.1.0") -> bytes:
    """The skill that `new_skill` began in the folder `notes`, as a wheel."""
    held = BytesIO()
    info = f"parlour_notes-{version}.dist-info"
    with zipfile.ZipFile(held, "w") as archive:
        for path in sorted((folder / "src").rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                archive.write(path, path.relative_to(folder / "src").as_posix())
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: parlour-notes\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/entry_points.txt", "[parlour.skills]\nnotes = parlour_notes:skill\n")
    return held.getvalue()
