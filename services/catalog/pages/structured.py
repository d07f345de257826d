"""Structured data of the shop's pages, in the words of https://schema.org. No I/O."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.catalog.pages.pictures import first_shown, rendition
from services.catalog.pages.wording import decimal
from services.catalog.products.models import Product
from services.catalog.vendors.models import Vendor

Data = Mapping[str, Any]
CONTEXT = "https://schema.org"


def site(base: str) -> Data:
    """The shop, and how to search it."""
    return {
        "@context": CONTEXT,
        "@type": "WebSite",
        "name": "Souk",
        "url": f"{base}/",
        "potentialAction": {
            "@type": "SearchAction",
            "target": {"@type": "EntryPoint", "urlTemplate": f"{base}/products?q={{search_term_string}}"},
            "query-input": "required name=search_term_string",
        },
    }


def product(shown: Product, base: str) -> Data:
    """A product with its offer."""
    address = f"{base}/products/{shown.slug}"
    data: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "Product",
        "name": shown.title,
        "description": shown.description[:5000],
        "sku": shown.sku,
        "url": address,
        "brand": {"@type": "Brand", "name": shown.vendor.name},
        "offers": {
            "@type": "Offer",
            "url": address,
            "price": decimal(shown.price.amount_minor, shown.price.currency),
            "priceCurrency": shown.price.currency,
            "availability": f"{CONTEXT}/{'InStock' if shown.on_hand else 'OutOfStock'}",
            "seller": {
                "@type": "Organization",
                "name": shown.vendor.name,
                "url": f"{base}/vendors/{shown.vendor.slug}",
            },
        },
    }
    if pictures := [base + rendition(one, "zoom") for one in shown.pictures if one.renditions]:
        data["image"] = pictures
    return data


def crumbs(steps: Sequence[tuple[str, str]], base: str) -> Data:
    """Where a page lies: (name, path) from the top."""
    return {
        "@context": CONTEXT,
        "@type": "BreadcrumbList",
        "itemListElement": [
            {"@type": "ListItem", "position": number, "name": name, "item": base + path}
            for number, (name, path) in enumerate(steps, 1)
        ],
    }


def vendor(shown: Vendor, base: str) -> Data:
    """A vendor."""
    return {
        "@context": CONTEXT,
        "@type": "Organization",
        "name": shown.name,
        "url": f"{base}/vendors/{shown.slug}",
        "description": shown.profile[:5000],
    }


def preview(shown: Product, base: str) -> str:
    """The picture that other sites show beside a link; empty for none."""
    picture = first_shown(shown.pictures)
    return "" if picture is None else base + rendition(picture, "page")
