"""What the addresses of pictures promise."""

from typing import Final

from services.catalog.images.schemas import ProductWithPicture, UploadForm
from services.catalog.products.schemas import OwnProduct, PictureBody
from shared.web.operations import Answer, Group, Operation

PICTURES: Final = Group(
    "Pictures",
    "Pictures of a vendor's products. Renditions are made by jobs; a picture is shown once it has them. Those of an "
    "approved product come and go with what is proposed of it.",
    (
        Operation(
            route="POST /api/vendor/products/{id}/images",
            id="addPicture",
            summary="Add a picture, as a file or by its address",
            body=PictureBody,
            body_types={"multipart/form-data": UploadForm},
            answers={
                201: Answer(ProductWithPicture, "The product; `image_id` is the new picture.", headers=("Location",))
            },
            has_version=True,
            is_creating=True,
            errors=(409,),
        ),
        Operation(
            route="DELETE /api/vendor/products/{id}/images/{image_id}",
            id="deletePicture",
            summary="Take a picture away",
            answers={204: Answer(description="It is gone.")},
            errors=(409,),
        ),
        Operation(
            route="POST /api/vendor/products/{id}/images/{image_id}/retry",
            id="retryPicture",
            summary="Try a picture that failed once more",
            answers={202: Answer(OwnProduct, "The product; its picture is pending again.")},
            has_version=True,
            errors=(409,),
        ),
        Operation(
            route="GET /media/{key}",
            id="readRendition",
            summary="Read a rendition",
            description="At the `url` of a rendition. What an address stands for never changes.",
            path={"key": str},
            answers={200: Answer(bytes, "The picture.", media_types=("image/webp", "image/jpeg"))},
            is_conditional=True,
        ),
    ),
)
