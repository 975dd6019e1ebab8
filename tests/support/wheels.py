"""Wheels of skills, as somebody would upload them."""

import zipfile
from io import BytesIO
from pathlib import Path


def wheel(folder: Path, *, skill: str = "notes", version: str = "0.1.0") -> bytes:
    """The skill that `new_skill` began in the folder of its name, as a wheel."""
    held = BytesIO()
    info = f"parlour_{skill}-{version}.dist-info"
    with zipfile.ZipFile(held, "w") as archive:
        for path in sorted((folder / "src").rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                archive.write(path, path.relative_to(folder / "src").as_posix())
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: parlour-{skill}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/entry_points.txt", f"[parlour.skills]\n{skill} = parlour_{skill}:skill\n")
    return held.getvalue()
