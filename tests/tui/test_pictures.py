"""The README's pictures show what the terminal looks like now."""

from tests.tui.pictures import FOLDER, pictures


def test_the_pictures_of_the_readme_are_those_of_the_tests() -> None:
    assert {path: path.read_text() for path in FOLDER.glob("*.svg")} == pictures()


def test_a_picture_fetches_nothing() -> None:
    assert not [path for path, text in pictures().items() if "url(http" in text]
