"""The README's pictures of the terminal: those that the tests compare with, without the fonts that they would fetch.

python -m tests.tui.pictures      write them anew, after `pytest tests/tui --snapshot-update`
"""

import re
from pathlib import Path

SNAPSHOTS = Path(__file__).parent / "__snapshots__"
FOLDER = Path(__file__).parents[2] / "tui" / "pictures"
PICTURES = {
    "dashboard": "test_dashboard/test_it_looks_as_it_did[160x48].svg",
    "models": "test_models/test_it_looks_as_it_did[160x48].svg",
    "chat": "test_chat/test_two_models_side_by_side_look_as_they_did.svg",
}
_FONTS = re.compile(r"\s*@font-face \{.*?\}(?=\s)", re.DOTALL)


def pictures() -> dict[Path, str]:
    """Return each picture with its text."""
    return {FOLDER / f"{name}.svg": _FONTS.sub("", (SNAPSHOTS / path).read_text()) for name, path in PICTURES.items()}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for path, text in pictures().items():
        path.write_text(text)
