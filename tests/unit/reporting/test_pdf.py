"""Reports as PDF: laid out by the real library in a process of its own."""

import zlib
from collections.abc import Iterator

import pytest

from services.reporting import pdf
from services.reporting.errors import PdfNotInstalled, PdfNotMade
from services.reporting.files import Pages
from services.reporting.layout import document_of
from services.reporting.pdf import Pdfs, pdf_of
from tests.unit.reporting.factories import make_report
from tests.unit.reporting.test_files import make_sales


def streams(document: bytes) -> Iterator[bytes]:
    """What is packed in a PDF."""
    for part in document.split(b"stream\n")[1:]:
        try:
            yield zlib.decompress(part)
        except zlib.error:
            continue


async def test_a_report_becomes_a_tagged_pdf_with_its_charts_in_colour() -> None:
    page = Pages().html_of(document_of(make_report(make_sales())), figures_at="now")
    made = await pdf_of(page)
    assert made.startswith(b"%PDF-")
    found = b"".join(streams(made))
    assert b"/StructTreeRoot" in found
    accent = [11 / 255, 107 / 255, 95 / 255]  # #0b6b5f
    filled = [line.split()[:3] for line in found.splitlines() if line.endswith(b" rg")]
    assert any([float(part) for part in color] == pytest.approx(accent, abs=0.01) for color in filled)


async def test_a_page_may_fetch_nothing() -> None:
    made = await pdf_of(b'<!doctype html><title>x</title><p>here<img alt="x" src="file:///etc/hostname">')
    assert b"/Subtype /Image" not in made


async def test_without_the_library_it_is_said_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "find_spec", lambda _: None)
    with pytest.raises(PdfNotInstalled, match=r"requirements/pdf\.txt") as caught:
        await pdf_of(b"<p>x")
    assert [(error.pointer, error.code) for error in caught.value.errors] == [("/format", "not_installed")]


async def test_one_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "MOST_SECONDS", 0.01)
    with pytest.raises(PdfNotMade, match=r"within 0\.01 s"):
        await pdf_of(b"<p>x")


async def test_one_that_takes_long_is_ready_when_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "ANSWER_SECONDS", 0.01)
    pdfs = Pdfs()
    with pytest.raises(PdfNotMade, match="ask again"):
        await pdfs.of("a", b"<!doctype html><title>a</title><p>a")
    monkeypatch.setattr(pdf, "ANSWER_SECONDS", 60.0)
    assert (await pdfs.of("a", b"not looked at")).startswith(b"%PDF-")
    monkeypatch.setattr(pdf, "ANSWER_SECONDS", 0.01)
    assert (await pdfs.of("a", b"not looked at")).startswith(b"%PDF-")  # kept
    with pytest.raises(PdfNotMade):
        await pdfs.of("b", b"<p>b")
    await pdfs.close()
