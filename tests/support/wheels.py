"""Wheels of skills, as somebody would upload them."""

import zipfile
from io import BytesIO
from pathlib import Path


def wheel(folder: Path) -> bytes:
    """The skill that `new_skill` began in the folder `notes`, as a wheel."""
    held = BytesIO()
    info = "parlour_notes-0.1.0.dist-info"
    with zipfile.ZipFile(held, "w") as archive:
        for path in sorted((folder / "src").rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                archive.write(path, path.relative_to(folder / "src").as_posix())
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: parlour-notes\nVersion: 0.1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/entry_points.txt", "[parlour.skills]\nnotes = parlour_notes:skill\n")
    return held.getvalue()
