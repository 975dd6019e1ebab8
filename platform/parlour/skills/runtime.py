"""The SDK as skills' processes load it: a copy that stands apart from the rest of Parlour."""

import hashlib
import shutil
import tempfile
from importlib.resources import files
from pathlib import Path


def runtime(folder: Path) -> Path:
    """Where below `folder` the SDK of this Parlour lies, copied there on first call.

    Safe in several processes at once. Nothing else of Parlour lies there, so that a skill can read nothing else.
    """
    package = Path(str(files("parlour")))
    sources = [package / "__init__.py", *sorted((package / "sdk").glob("*.py"))]
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]
    place = folder / f"sdk-{digest}"
    if not place.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=folder, prefix=".sdk-"))
        (made / "parlour" / "sdk").mkdir(parents=True)
        for source in sources:
            shutil.copyfile(source, made / "parlour" / source.relative_to(package))
        try:
            made.rename(place)
        except OSError:  # another process was quicker
            shutil.rmtree(made)
    return place
