"""The contract is served as it is committed, to anybody, with its ETag; the page needs no scripts."""

import json

import pytest

from deploy.docs import ASYNCAPI, DOCS, OPENAPI
from tests.browser import new_page, open_browser
from tests.integration.catalog.conftest import Client, Gateway


@pytest.mark.parametrize("name", [OPENAPI, ASYNCAPI])
async def test_a_document_is_the_committed_one(anonymous: Client, name: str) -> None:
    async with anonymous.get(f"/api/{name}") as answer:
        assert (answer.status, answer.content_type) == (200, "application/json")
        assert await answer.json() == json.loads((DOCS / name).read_bytes())
        etag = answer.headers["ETag"].removeprefix("W/")  # weak where it was packed
    async with anonymous.get(f"/api/{name}", headers={"If-None-Match": etag}) as again:
        assert (again.status, again.headers["ETag"], await again.read()) == (304, etag, b"")
    async with anonymous.head(f"/api/{name}") as head:
        assert (head.status, await head.read()) == (200, b"")


async def test_a_document_comes_as_its_caller_takes_it(anonymous: Client) -> None:
    codings = {}
    for accepted in ("br", "gzip", "identity"):
        async with anonymous.get(f"/api/{OPENAPI}", headers={"Accept-Encoding": accepted}) as answer:
            assert await answer.json() == json.loads((DOCS / OPENAPI).read_bytes())
            assert answer.headers["Vary"] == "Accept-Encoding"
            codings[accepted] = (answer.headers.get("Content-Encoding"), answer.headers["ETag"].startswith("W/"))
    assert codings == {"br": ("br", True), "gzip": ("gzip", True), "identity": (None, False)}


async def test_the_page_shows_every_operation(anonymous: Client) -> None:
    async with anonymous.get("/api/docs") as answer:
        assert (answer.status, answer.content_type) == (200, "text/html")
        page = await answer.text()
    document = json.loads((DOCS / OPENAPI).read_bytes())
    for methods in document["paths"].values():
        for operation in methods.values():
            assert f'<details id="{operation["operationId"]}">' in page
    assert "<script" not in page


async def test_the_page_is_styled_and_as_wide_as_its_window(gateway: Gateway) -> None:
    async with open_browser() as browser:
        for width in (360, 1280):
            async with new_page(browser, gateway.url, width=width, is_scripted=False) as (page, _):
                await page.goto("/api/docs#createProduct")
                await page.locator("#createProduct > summary").click()
                entry = page.locator("#createProduct")
                assert await entry.get_by_text("price.amount_minor").first.is_visible()
                box = await entry.bounding_box()
                assert box is not None
                assert 0 < box["x"] < box["x"] + box["width"] < width
                method = page.locator("#createProduct .method")
                assert await method.evaluate("it => getComputedStyle(it).fontWeight") == "700"
