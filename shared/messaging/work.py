"""A job on the wire: its envelope, and the numbers of its attempt in headers of our own.

Only integers travel in headers (floats come back wrong), and never the broker's `x-death` (a client's is ignored).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Final, Literal, Self, TypeVar
from uuid import UUID

import orjson
from aiormq.abc import DeliveredMessage
from pamqp.commands import Basic
from pydantic import ValidationError, create_model

from shared.contracts.base import Job
from shared.contracts.envelope import Envelope
from shared.errors import Unparsable
from shared.messaging.delivery import Postpone, RetryAfter
from shared.messaging.publisher import PERSISTENT, Publisher
from shared.messaging.topology import DEAD, JOBS, job_routing_key, wire_priority

JobT = TypeVar("JobT", bound=Job)

MAX_MESSAGE_BYTES: Final = 1024 * 1024
PROBE_TYPE: Final = "probe"
PROBE_LIFE_MS: Final = 10 * 60 * 1000
_ATTEMPT: Final = "souk-attempt"
_MAX_ATTEMPTS: Final = "souk-max-attempts"
_FENCE: Final = "souk-fence"
_TIMEOUT_MS: Final = "souk-timeout-ms"


async def publish_probe(publisher: Publisher, job_type: str, priority: int, probe_id: UUID) -> None:
    """Send a probe through a work queue. Queues are FIFO within a priority, so its answer proves that whatever was
    published before it was delivered or is gone; behind a backlog the probe waits too. Confirmed.
    """
    await publisher.publish_body(
        b"",
        exchange=JOBS,
        routing_key=job_routing_key(job_type, priority),
        properties=Basic.Properties(
            delivery_mode=PERSISTENT,
            message_id=str(probe_id),
            message_type=PROBE_TYPE,
            priority=wire_priority(priority),
            expiration=str(PROBE_LIFE_MS),
        ),
    )


def probe_of(message: DeliveredMessage) -> UUID | None:
    """The id of a probe; None for a job."""
    properties = message.header.properties
    return UUID(properties.message_id) if properties.message_type == PROBE_TYPE and properties.message_id else None


@dataclass(frozen=True, slots=True)
class JobMessage:
    """One job to be published or just delivered.

    `attempt` counts from 1. `fence` rises each time the ledger publishes the job anew; retries keep it.
    `priority` is 1 (highest) to 5.
    """

    envelope: Envelope
    priority: int
    attempt: int
    max_attempts: int
    fence: int
    timeout_ms: int
    body: bytes | None = None
    """The envelope as it came: sent again as it is, with fields that this version does not know."""
    published_at: datetime | None = None
    """When this copy was published, to the whole second below; None before that."""

    @classmethod
    def parse(cls, message: DeliveredMessage) -> Self:
        """Read a delivery. Raises `Unparsable` for what no retry would make readable."""
        if len(message.body) > MAX_MESSAGE_BYTES:
            raise Unparsable(f"a message of {len(message.body)} bytes is over {MAX_MESSAGE_BYTES}")
        try:
            envelope = Envelope.model_validate_json(message.body)
        except ValidationError as exc:
            raise Unparsable(f"no envelope: {exc.error_count()} errors, first: {exc.errors()[0]['msg']}") from exc
        return cls._of(envelope, message)

    @classmethod
    def parse_for(cls, contract: type[JobT], message: DeliveredMessage) -> tuple[Self, JobT]:
        """Read a delivery that should hold a job of one type, in one pass. Raises `Unparsable`."""
        if len(message.body) <= MAX_MESSAGE_BYTES:
            try:
                envelope = _envelope_of(contract).model_validate_json(message.body)
            except ValidationError:
                pass  # read once more below, step by step: that says what is wrong
            else:
                job: JobT = envelope.data  # type: ignore[assignment] # of the contract's type, by `_envelope_of`
                return cls._of(envelope, message), job
        delivery = cls.parse(message)
        return delivery, delivery.job_of(contract)

    @classmethod
    def _of(cls, envelope: Envelope, message: DeliveredMessage) -> Self:
        properties = message.header.properties
        headers = properties.headers or {}
        return cls(
            envelope=envelope,
            priority=6 - min(max(properties.priority or 1, 1), 5),
            attempt=_positive(headers, _ATTEMPT),
            max_attempts=_positive(headers, _MAX_ATTEMPTS),
            fence=_positive(headers, _FENCE),
            timeout_ms=_positive(headers, _TIMEOUT_MS),
            body=message.body,
            published_at=properties.timestamp,
        )

    @property
    def waits_since(self) -> datetime:
        """Since when it waits to be begun: its cause, or its publishing where that was put off."""
        cause_at = self.envelope.time
        return cause_at if self.published_at is None else max(cause_at, self.published_at)

    def job_of(self, contract: type[JobT]) -> JobT:
        """The order itself. Raises `Unparsable` when it is another type's, or not what its type promises."""
        if self.envelope.type != contract.type:
            raise Unparsable(f"a job of type {self.envelope.type!r} in the queue of {contract.type!r}")
        try:
            # Read as JSON, where strict models take ids and times as strings.
            return contract.model_validate_json(orjson.dumps(self.envelope.data))
        except ValidationError as exc:
            first = exc.errors()[0]
            raise Unparsable(f"payload of {self.envelope.type}: {first['loc']}: {first['msg']}") from exc
        except TypeError as exc:  # an integer over 64 bits
            raise Unparsable(f"payload of {self.envelope.type}: {exc}") from exc

    async def publish(self, publisher: Publisher) -> None:
        """Put the job into its work queue, confirmed. Raises `NotConfirmed`."""
        await self._publish(publisher, JOBS)

    async def publish_retry(self, publisher: Publisher, retry: RetryAfter) -> None:
        """Let the next attempt wait in the broker; it comes back by the tier's dead-letter hop, confirmed."""
        assert retry.tier is not None
        following = replace(self, attempt=self.attempt + 1)
        await following._publish(publisher, retry.tier.exchange, expiration_ms=round(retry.seconds * 1000))

    async def publish_postponed(self, publisher: Publisher, postpone: Postpone) -> None:
        """Let the same attempt, under the same fence, wait in the broker and come again; confirmed."""
        await self._publish(publisher, postpone.tier.exchange, expiration_ms=round(postpone.seconds * 1000))

    async def publish_dead(self, publisher: Publisher, reason: str) -> None:
        """Park a copy where people find it; the ledger has the job itself. Confirmed."""
        await self._publish(publisher, DEAD, reason=reason[:200])

    async def _publish(
        self,
        publisher: Publisher,
        exchange: str,
        *,
        expiration_ms: int | None = None,
        reason: str | None = None,
    ) -> None:
        headers: dict[str, int | str] = {
            _ATTEMPT: self.attempt,
            _MAX_ATTEMPTS: self.max_attempts,
            _FENCE: self.fence,
            _TIMEOUT_MS: self.timeout_ms,
        }
        if reason is not None:
            headers["souk-reason"] = reason
        await publisher.publish(
            self.envelope,
            exchange=exchange,
            routing_key=job_routing_key(self.envelope.type, self.priority),
            priority=wire_priority(self.priority),
            headers=headers,
            expiration_ms=expiration_ms,
            body=self.body,
        )


@cache
def _envelope_of(contract: type[Job]) -> type[Envelope]:
    """The envelope of one job type, so that envelope and order are read in one pass."""
    return create_model(
        f"{contract.__name__}Envelope",
        __base__=Envelope,
        type=(Literal[contract.type], ...),  # type: ignore[arg-type] # a literal that is known at run time only
        data=(contract, ...),
    )


def _positive(headers: Mapping[str, object], name: str) -> int:
    value = headers.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise Unparsable(f"header {name} is {value!r}, not a positive integer")
    return value
