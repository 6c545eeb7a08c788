"""A content as it grows: texts and media in their order, which become one text and the places of the media in it."""

from appliance.core.request import Media, MediaAddress

AnyMedium = Media | MediaAddress


class Content:
    """Texts stand apart from each other by `between`, and from a medium by nothing, as most servers have it."""

    def __init__(self, between: str = "\n") -> None:
        self._between = between
        self._texts: list[str] = []
        self._is_after_text = False
        self.media: tuple[AnyMedium, ...] = ()
        self.at = 0
        """Where the next medium stands."""

    @property
    def text(self) -> str:
        """All texts."""
        return "".join(self._texts)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was added."""
        return not self._texts and not self.media

    def say(self, text: str) -> None:
        """Add a text."""
        self._texts.append(self._between + text if self._is_after_text else text)
        self.at += len(self._texts[-1])
        self._is_after_text = True

    def show(self, medium: AnyMedium) -> None:
        """Add a medium, which was made for the place `at`."""
        self.media += (medium,)
        self._is_after_text = False
