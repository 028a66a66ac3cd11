"""Shows UTC times in the zone that the reader asked for."""

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from evtxhunt.errors import EvtxhuntError


class Clock:
    """One time zone. Times given to it are naive UTC, as everywhere in the model."""

    def __init__(self, name: str) -> None:
        """Raises EvtxhuntError if there is no zone of this IANA name."""
        self.name = name
        self._zone: tzinfo = UTC
        if name != "UTC":  # needs no zone database, which Windows has none of
            try:
                self._zone = ZoneInfo(name)
            except (ZoneInfoNotFoundError, ValueError, OSError) as error:
                raise EvtxhuntError(f"{name}: no such time zone; give a name such as UTC or Europe/Vienna") from error

    def text(self, time: datetime) -> str:
        """`2019-05-16 01:35:00.123456Z`, or with the offset in place of Z if the zone is not UTC."""
        try:
            local = time.replace(tzinfo=UTC).astimezone(self._zone)
        except OverflowError:  # the first or last day that Python knows
            local = time.replace(tzinfo=UTC)
        text = local.isoformat(sep=" ", timespec="microseconds")
        return text.removesuffix("+00:00") + "Z" if local.tzinfo is UTC else text

    def local(self, time: datetime) -> datetime:
        """What a clock on the wall shows, without its zone."""
        return time.replace(tzinfo=UTC).astimezone(self._zone).replace(tzinfo=None)

    def utc(self, local: datetime) -> datetime:
        """Naive UTC of what a clock on the wall shows; the earlier one where the hour repeats."""
        return local.replace(tzinfo=self._zone).astimezone(UTC).replace(tzinfo=None)
