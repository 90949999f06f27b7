"""What operators declare, and what is learnt of addresses."""

from __future__ import annotations

import pytest

from eightysix.context.addresses import MAX_ADDRESSES, Learnt, Ranges
from eightysix.context.principals import identities
from eightysix.model.errors import UsageError

ID = "00001111-aaaa-2222-bbbb-3333cccc4444"


def test_ranges_hold_addresses_of_their_family() -> None:
    ranges = Ranges(["203.0.113.7/28", " 2001:db8::/48", "198.51.100.9"])
    assert ranges.families == {4, 6}
    assert all(map(ranges.holds, ("203.0.113.1", "2001:db8::2f", "198.51.100.9")))
    assert not any(map(ranges.holds, ("203.0.113.16", "2001:db9::1", "198.51.100.8", "nonsense", "")))
    assert not Ranges().holds("203.0.113.1")


@pytest.mark.parametrize("text", ["", "pypi.org", "10.0.0.0/33", "0.0.0.0/0", "::/0", "10.0.0.1-10.0.0.9"])
def test_what_is_no_range_or_holds_everything_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        Ranges([text])


def test_identities_are_declared_by_service_account() -> None:
    told = identities([f"ml/inference-sa={ID.upper()}", f"*={ID}"])
    assert told == {"ml/inference-sa": frozenset({ID}), "*": frozenset({ID})}


@pytest.mark.parametrize(
    "text", ["", ID, f"ml={ID}", f"a/b/c={ID}", f"/x={ID}", "ml/sa=not-an-id", f"ml/sa={ID}0"]
)
def test_what_is_no_identity_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        identities([text])


def test_learnt_addresses_are_bounded_and_say_when_they_are_full() -> None:
    learnt = Learnt()
    learnt.note_node("n", ["10.0.0.1", "nonsense", ""])
    assert learnt.nodes == {"n": {"10.0.0.1"}}
    learnt.note_pod("u", [f"10.0.1.{number}" for number in range(2 * MAX_ADDRESSES)])
    assert len(learnt.pods["u"]) == MAX_ADDRESSES
    assert learnt.full
