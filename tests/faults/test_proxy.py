"""The fault proxy itself: each fault as a client sees it and as the server behind it sees it, and nothing else changed."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from tests.faults.draws import ALL, Chances, Draws, Fault
from tests.faults.proxy import FaultProxy
from tests.unit.buckets_s3.canned import Canned, Request, canned, stored

SENT, HELD = b"what the client sends" * 40, b"what the server has" * 40
LATE_S = 6.0  # late enough for a client on a loaded machine to have given up
PATIENCE_S = 0.3


@pytest.fixture
def server() -> Iterator[Canned]:
    with canned() as running:
        running.answers = [stored(HELD)]
        yield running


@contextmanager
def proxied(server: Canned, *kinds: Fault, rate: float = 1.0) -> Iterator[FaultProxy]:
    port = int(server.endpoint.rpartition(":")[2])
    with FaultProxy(port, Chances(rate, kinds), seed=1, late_s=LATE_S) as proxy:
        yield proxy


def connect(proxy: FaultProxy, patience_s: float = 20.0) -> closing[http.client.HTTPConnection]:
    return closing(http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=patience_s))


def ask(proxy: FaultProxy, method: str = "PUT", body: bytes = SENT, patience_s: float = 20.0) -> tuple[int, bytes]:
    with connect(proxy, patience_s) as client:
        client.request(method, "/bucket/key", body, {"Host": "as.signed:1", "X-Amz-Date": "now"})
        answer = client.getresponse()
        return answer.status, answer.read()


def arrived(server: Canned) -> Request:
    (one,) = server.requests
    return one


@contextmanager
def broken(how: type[Exception] | tuple[type[Exception], ...]) -> Iterator[None]:
    with pytest.raises(how):
        yield


def test_what_meets_no_fault_is_passed_on_as_it_is(server: Canned) -> None:
    with proxied(server) as proxy:
        assert ask(proxy) == (200, HELD)
        with connect(proxy) as client:
            for _ in range(3):  # over one connection
                client.request("HEAD", "/bucket/key")
                assert client.getresponse().read() == b""
        assert proxy.requests == 4 and not proxy.faults
    first = server.requests[0]
    assert (first.method, first.path, first.body) == ("PUT", "/bucket/key", SENT)
    assert first.headers["host"] == "as.signed:1" and first.headers["x-amz-date"] == "now"


def test_a_client_that_asks_first_whether_it_may_send_is_answered(server: Canned) -> None:
    with proxied(server) as proxy, connect(proxy) as client:
        client.request("PUT", "/bucket/key", SENT, {"Expect": "100-continue"})
        assert client.getresponse().read() == HELD
    assert "expect" not in arrived(server).headers and arrived(server).body == SENT


@pytest.mark.parametrize("fault", ["500", "503", "429"])
def test_a_refusal_is_not_forwarded(fault: Fault, server: Canned) -> None:
    with proxied(server, fault) as proxy:
        status, body = ask(proxy)
        assert status == int(fault) and b"<Code>" in body
        assert proxy.faults == {fault: 1}
    assert server.requests == []


def test_500_after_it_was_applied(server: Canned) -> None:
    with proxied(server, "500 after") as proxy:
        assert ask(proxy)[0] == 500
    assert arrived(server).body == SENT


def test_a_dropped_request_never_arrives(server: Canned) -> None:
    with proxied(server, "request dropped") as proxy, broken(http.client.RemoteDisconnected):
        ask(proxy)
    assert server.requests == []


def test_a_dropped_answer_is_of_a_request_that_arrived(server: Canned) -> None:
    with proxied(server, "answer dropped") as proxy, broken(http.client.RemoteDisconnected):
        ask(proxy)
    assert arrived(server).body == SENT


def test_a_late_answer_is_of_a_request_that_arrived_at_once(server: Canned) -> None:
    with proxied(server, "answer late") as proxy:
        with broken(TimeoutError):
            ask(proxy, patience_s=PATIENCE_S)
        assert server.heard.wait(20) and arrived(server).body == SENT


def test_a_late_request_arrives_when_its_client_has_gone(server: Canned) -> None:
    with proxied(server, "request late") as proxy:
        with broken(TimeoutError):
            ask(proxy, patience_s=PATIENCE_S)
        assert server.requests == []
        assert server.heard.wait(20)
    assert arrived(server).body == SENT


def test_a_reset_request_arrives_in_part_at_most(server: Canned) -> None:
    with proxied(server, "request reset") as proxy, broken(ConnectionResetError):
        ask(proxy)
    assert all(request.body != SENT for request in server.requests)


def test_a_reset_answer_comes_in_part_at_most(server: Canned) -> None:
    with proxied(server, "answer reset") as proxy, broken((ConnectionResetError, http.client.IncompleteRead)):
        ask(proxy, "GET", b"")
    assert len(server.requests) == 1


def test_a_truncated_answer_ends_in_an_orderly_way(server: Canned) -> None:
    with proxied(server, "answer truncated") as proxy, pytest.raises(http.client.IncompleteRead) as cut:
        ask(proxy, "GET", b"")
    assert cut.value.partial == HELD[: len(HELD) // 2]


def test_an_altered_answer_differs_in_one_byte(server: Canned) -> None:
    with proxied(server, "answer altered") as proxy:
        status, body = ask(proxy, "GET", b"")
    assert status == 200 and _differences(body, HELD) == 1


def test_a_listing_is_not_altered() -> None:
    draws = Draws(Chances(1.0, ("answer altered",)), seed=1)
    assert draws.next("GET", 0, listing=True) == "" and draws.next("GET", 0) == "answer altered"


def test_an_altered_request_differs_in_one_byte(server: Canned) -> None:
    with proxied(server, "request altered") as proxy:
        assert ask(proxy) == (200, HELD)
    assert _differences(arrived(server).body, SENT) == 1


def _differences(one: bytes, other: bytes) -> int:
    assert len(one) == len(other)
    return sum(a != b for a, b in zip(one, other, strict=True))


def test_a_server_that_is_down_looks_like_a_dropped_request() -> None:
    with canned() as server:
        port = int(server.endpoint.rpartition(":")[2])
    with FaultProxy(port, Chances(0.0), seed=1) as proxy, broken(http.client.RemoteDisconnected):
        ask(proxy)


def test_a_seed_gives_the_same_faults_and_the_rate_is_kept() -> None:
    first, second = (Draws(Chances(0.2), seed=5) for _ in range(2))
    drawn = [first.next("GET", 0) for _ in range(5000)]
    assert drawn == [second.next("GET", 0) for _ in range(5000)]
    assert 0.18 < sum(map(bool, drawn)) / 5000 < 0.22
    assert set(drawn) == {"", *ALL} - {"request altered"}, "a GET has no body to alter"
