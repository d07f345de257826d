"""What can be wrong with a picture."""

from services.catalog.products.models import MAX_PICTURES
from shared.errors import Conflict, FieldError, InvalidInput, NotFound


class PictureNotFound(NotFound):
    """The product has no such picture."""

    code = "image_not_found"

    def __init__(self) -> None:
        super().__init__("There is no such picture.")


class MediaNotFound(NotFound):
    """There is no rendition at this address."""

    code = "media_not_found"

    def __init__(self) -> None:
        super().__init__("There is no such file.")


class NotAnImage(InvalidInput):
    """The file's first bytes are of no format we take."""

    code = "not_an_image"

    def __init__(self) -> None:
        super().__init__(
            "The file is no picture: JPEG, PNG, WebP, AVIF and GIF are taken.",
            errors=[FieldError("/file", "not_an_image", "its first bytes are of none of these formats")],
        )


class TooManyPictures(Conflict):
    """The product has as many pictures as it may; delete one first."""

    code = "too_many_images"

    def __init__(self) -> None:
        super().__init__(f"A product has at most {MAX_PICTURES} pictures.")


class NothingToRetry(Conflict):
    """Only a picture that failed is asked for again."""

    code = "image_not_failed"

    def __init__(self) -> None:
        super().__init__("Only a picture that failed can be tried again.")
