"""One trace over all processes: from the answer to a request to the header of the mail that came of it."""

import json
from collections.abc import Mapping

from shared import tracing
from tests import factories
from tests.e2e.collector import Collector, SeenSpan
from tests.e2e.marketplace import JSON, Shop
from tests.eventually import eventually

WAY_OF_A_MAIL = [
    ("notifier", "mail product_submitted"),
    ("notifier", "process send-email"),
    ("ledger", "dispatch product.submitted"),
    ("relay", "publish product.submitted"),
    ("gateway", "POST /api/vendor/products"),
]
LINES = {
    ("gateway", "request"),
    ("relay", "event_published"),
    ("ledger", "job_dispatched"),
    ("notifier", "mail_sent"),
    ("notifier", "job_attempt"),
    ("ledger", "attempt_recorded"),
}
GIVEN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_a_submission_is_one_trace_from_the_answer_to_the_mail(shop: Shop, collector: Collector) -> None:
    answered, product = await submitted(shop)
    await shop.settled(product, pictures=0)
    [mail] = await shop.mails_about(product["title"])
    in_mail = mail["headers"][tracing.HEADER]
    trace_id = tracing.trace_id_of(in_mail)
    assert trace_id == tracing.trace_id_of(answered)
    assert trace_id is not None

    def whole() -> dict[str, SeenSpan]:
        spans = collector.trace(trace_id)
        recorded = {(span.name, span.attributes.get("souk.outcome")) for span in spans.values()}
        assert recorded >= {("record send-email", "completed"), ("record send-notification", "completed")}
        assert in_mail.split("-")[2] in spans
        assert answered.split("-")[2] in spans
        return spans

    spans = await eventually(whole, 20)
    assert [(span.service, span.name) for span in way_up(in_mail.split("-")[2], spans)] == WAY_OF_A_MAIL
    assert way_up(in_mail.split("-")[2], spans)[-1].span_id == answered.split("-")[2]
    records = [span for span in spans.values() if span.name == "record send-email"]
    assert {spans[record.parent_id].name for record in records} == {"process send-email"}
    assert all(span.parent_id in spans for span in spans.values() if span.parent_id)
    assert len([span for span in spans.values() if not span.parent_id]) == 1

    lines = [line for line in logged(shop) if line.get("trace_id") == trace_id]
    assert {(line["service"], line["event"]) for line in lines} >= LINES
    [mailed] = [line for line in lines if line["event"] == "mail_sent"]
    assert (mailed["type"], mailed["attempt"], mailed["outcome"]) == ("send-email", 1, "sent")
    [asked] = [line for line in lines if line["event"] == "request" and line["path"] == "/api/vendor/products"]
    assert asked["request_id"] == spans[answered.split("-")[2]].attributes["souk.request_id"]


async def test_a_call_that_is_passed_on_stays_in_the_callers_trace(shop: Shop, collector: Collector) -> None:
    headers = {**shop.as_("admin"), tracing.HEADER: GIVEN}
    trace_id = GIVEN.split("-")[1]
    async with shop.http.get(f"{shop.gateway}/api/admin/jobs?action=stats", headers=headers) as answer:
        assert answer.status == 200
        answered = answer.headers.getall(tracing.ANSWER_HEADER)

    def both() -> dict[str, SeenSpan]:
        spans = collector.trace(trace_id)
        assert len(spans) >= 2
        return spans

    spans = await eventually(both, 20)
    [passed_on] = [span for span in spans.values() if span.service == "jobs-api"]
    assert [span.service for span in way_up(passed_on.span_id, spans)] == ["jobs-api", "gateway"]
    assert spans[passed_on.parent_id].parent_id == GIVEN.split("-")[2]
    assert answered == [f"00-{trace_id}-{passed_on.parent_id}-01"]


async def test_a_cached_read_is_followed_only_for_a_caller_who_records_it(shop: Shop) -> None:
    async def is_followed(flags: str) -> bool:
        headers = {tracing.HEADER: f"00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{flags}"}
        async with shop.http.get(f"{shop.gateway}/api/products?q=nothing-like-it", headers=headers) as answer:
            assert answer.status == 200
            return tracing.ANSWER_HEADER in answer.headers

    async def is_cached() -> bool:
        return not await is_followed("00")

    assert await eventually(is_cached, 20)
    assert await is_followed("01")


async def submitted(shop: Shop) -> tuple[str, JSON]:
    """Offer a product; the `traceresponse` of the answer, and the product."""
    offer = factories.offer(sku="SKU-TRACED", title="Chair that is traced")
    async with shop.http.post(f"{shop.gateway}/api/vendor/products", headers=shop.as_("vendor"), json=offer) as answer:
        product = await answer.json()
        assert answer.status == 201, product
        return answer.headers[tracing.ANSWER_HEADER], product


def way_up(span_id: str, spans: Mapping[str, SeenSpan]) -> list[SeenSpan]:
    """A span and what caused it, up to the first that this stack recorded."""
    way = []
    while (span := spans.get(span_id)) is not None:
        way.append(span)
        span_id = span.parent_id
    return way


def logged(shop: Shop) -> list[JSON]:
    """Every line of every process that is JSON."""
    return [json.loads(line) for _, line in shop.stack.lines() if line.startswith("{")]
