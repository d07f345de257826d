"""Shares counted in this process's memory: exact here, and per gateway where there are several."""

import time
from collections.abc import Callable
from typing import Final

from services.catalog.limits.models import Grant, Policy

MAX_SUBJECTS: Final = 100_000


class Meter:
    """The shares of one policy, one for each subject. What is kept of a subject is when its share is whole again."""

    def __init__(
        self, policy: Policy, *, max_subjects: int = MAX_SUBJECTS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.policy = policy
        self._max_subjects = max_subjects
        self._clock = clock
        self._whole_at: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._whole_at)

    def take(self, subject: str) -> Grant:
        """One request of a subject."""
        now, policy = self._clock(), self.policy
        behind = max(self._whole_at.get(subject, now) - now, 0.0)
        after = behind + policy.spacing_seconds
        if policy.is_over(after):
            return policy.refused(behind)
        self._whole_at[subject] = now + after
        if len(self._whole_at) > self._max_subjects:
            self._forget(now)
        return policy.granted(after)

    def _forget(self, now: float) -> None:
        """Make room: whole shares are as good as unknown ones; else half of all go, those known longest first."""
        self._whole_at = {subject: at for subject, at in self._whole_at.items() if at > now}
        for subject in list(self._whole_at)[: len(self._whole_at) - self._max_subjects // 2]:
            del self._whole_at[subject]
