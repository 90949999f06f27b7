"""Times equal those of `datetime`, at every precision and in every zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eightysix.model.timestamps import to_ns

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(2261, 12, 30))  # noqa: DTZ001 - the zone is added below


def _expected(moment: datetime, nanoseconds: int) -> int:
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + nanoseconds


@given(
    _MOMENTS,
    st.integers(0, 999_999_999),
    st.integers(0, 9),
    st.sampled_from(["Z", "z", ""]),
    st.sampled_from("Tt "),
)
def test_equals_datetime_at_any_precision(
    naive: datetime, fraction: int, precision: int, zone: str, between: str
) -> None:
    moment = naive.replace(tzinfo=UTC, microsecond=0)
    digits = f"{fraction:09d}"[:precision]
    text = f"{moment:%Y-%m-%d}{between}{moment:%H:%M:%S}{'.' + digits if digits else ''}{zone}"
    expected = _expected(moment, int(digits.ljust(9, "0")))
    assert to_ns(text) == expected
    assert to_ns(text) == expected, "and again from the memo"


@given(_MOMENTS, st.integers(-1439, 1439), st.booleans())
def test_equals_datetime_in_any_zone(naive: datetime, minutes: int, colon: bool) -> None:
    zone = timezone(timedelta(minutes=minutes))
    moment = naive.replace(tzinfo=zone)
    sign = "-" if minutes < 0 else "+"
    hours, rest = divmod(abs(minutes), 60)
    text = f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}{sign}{hours:02d}{':' if colon else ''}{rest:02d}"
    assert to_ns(text) == _expected(moment.astimezone(UTC), moment.microsecond * 1000)


@given(st.text(max_size=70) | st.text("0123456789-:. TZ+٣", min_size=18, max_size=36))
def test_any_text_is_a_time_or_a_value_error(text: str) -> None:
    try:
        result = to_ns(text)
    except ValueError as error:
        message = str(error)
    else:
        message, text = "", str(result)
        assert 0 <= result < 2**63
    assert len(text) < 5 or text not in message


@pytest.mark.parametrize(
    "text",
    [
        "2022-11-29T00:09:04.Z",
        "2022-11-29T00:09:04.1ZZ",
        "2022-11-29T00:09:0٣Z",
        "2022-11-29T00:09:60Z",
        "2022-11-29T24:00:00Z",
        "2022-02-30T00:00:00Z",
        "2022-11-29T00:09:04.5+2",
        "2022-11-29T00:09:04+24:00",
        "2022-11-29T00:09:04+01:60",
        "2022-11-29T00:09:04.+01:00",
        "2022/11/29T00:09:04Z",
        "2022-11-29T00:09:4Z",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+00:01",
        "2262-01-01T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "+022-11-29T00:09:04Z",
        "2022-11-29T00:09:04Z" + "0" * 60,
        "",
    ],
)
def test_refuses_what_is_no_time(text: str) -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match=r"not a time|must be in|out of range"):
            to_ns(text)


def test_reads_the_forms_of_azure_exports() -> None:
    assert to_ns("2022-11-29 00:09:04.38") == to_ns("2022-11-29T00:09:04.380Z")
    assert to_ns("2024-12-17T10:30:00.0000000Z") == to_ns("2024-12-17T10:30:00Z")
    assert to_ns("2024-12-17T10:30:00.12345678901Z") == to_ns("2024-12-17T10:30:00.123456789Z")


def test_a_memo_that_is_full_is_emptied() -> None:
    start = datetime(2001, 1, 1, tzinfo=UTC)
    for minute in range(5000):
        moment = start + timedelta(minutes=minute)
        assert to_ns(f"{moment:%Y-%m-%dT%H:%M:%S}Z") == _expected(moment, 0)
