"""What can go wrong with a picture, and whether trying the same picture again may help."""

from shared.errors import InvalidInput, Unavailable


class InvalidImage(InvalidInput):
    """Not a picture we read, or a damaged one. The vendor has to send another; `detail` says what it is."""

    code = "invalid_image"


class ImageTooLarge(InvalidInput):
    """More bytes or pixels than we take, or more memory or CPU than a picture may cost. The vendor has to shrink it."""

    code = "image_too_large"


class RenderTimeout(Unavailable):
    """No answer within the wall time although the CPU limit was not reached: the machine is busy. Retryable."""

    code = "render_timeout"


class RendererCrashed(Unavailable):
    """The child died while it had the picture. Retryable; a picture that does it every time runs out of attempts."""

    code = "renderer_crashed"
