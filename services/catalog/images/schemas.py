"""What is sent to and answered by the addresses of pictures."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from services.catalog.products.schemas import Alt, OwnProduct


class UploadForm(BaseModel):
    """A JPEG, PNG, WebP, GIF or AVIF file, and what it shows."""

    file: Annotated[bytes, Field(json_schema_extra={"format": "binary"})]
    alt: Alt = ""


class ProductWithPicture(OwnProduct):
    """A product, and which of its pictures was added."""

    image_id: UUID
