"""Signals to end, for parts that must act before the server does."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from atila.runtime import end_signals


@pytest.mark.parametrize("number", end_signals.SIGNALS)
def test_one_is_raised_and_the_handlers_come_back(number: signal.Signals) -> None:
    before = [signal.getsignal(each) for each in end_signals.SIGNALS]
    with pytest.raises(end_signals.Ended) as caught, end_signals.raised(), end_signals.raised():
        signal.raise_signal(number)
    assert caught.value.code == 128 + number
    assert [signal.getsignal(each) for each in end_signals.SIGNALS] == before


def test_on_another_thread_none_is() -> None:
    def use() -> object:
        with end_signals.raised():
            return signal.getsignal(signal.SIGTERM)

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(use).result() is signal.getsignal(signal.SIGTERM)


def test_a_handler_that_is_not_pythons_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    getsignal = signal.getsignal
    before = getsignal(signal.SIGTERM)
    # A process gets such a handler before its Python starts.
    monkeypatch.setattr(signal, "getsignal", lambda number: None)
    with end_signals.raised():
        assert getsignal(signal.SIGTERM) is before
    assert getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("number", end_signals.SIGNALS)
def test_one_is_noticed_before_the_servers_handler(number: signal.Signals) -> None:
    order: list[str] = []
    before = signal.getsignal(number)
    signal.signal(number, lambda number, frame: order.append("server"))
    try:
        with end_signals.noticed(lambda: order.append("noticed")):
            signal.raise_signal(number)
        assert order == ["noticed", "server"]
        signal.raise_signal(number)
        assert order == ["noticed", "server", "server"]
    finally:
        signal.signal(number, before)


def test_where_no_handler_is_none_becomes_one() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with end_signals.noticed(pytest.fail):
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
            signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)
