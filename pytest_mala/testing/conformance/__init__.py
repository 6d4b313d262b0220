"""The rules that any transport of the SDK must keep: `await rule.check(make)` for each rule of `CONFORMANCE`."""

from pytest_mala.testing.conformance.exchange import Ends, Exchange, Hears, HearsTheEnd, PeerError, Says, play
from pytest_mala.testing.conformance.rules import CONFORMANCE, Rule
from pytest_mala.testing.conformance.wire import BrokenRuleError, Make

__all__ = [
    "CONFORMANCE",
    "BrokenRuleError",
    "Ends",
    "Exchange",
    "Hears",
    "HearsTheEnd",
    "Make",
    "PeerError",
    "Rule",
    "Says",
    "play",
]
