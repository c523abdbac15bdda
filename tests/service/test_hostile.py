"""A few hundred hostile requests: no fault of the service's own, one form of refusals; and a fault would be seen."""

import json
import logging
import os
import socket
import threading

import pytest

from benchmarks import hostile
from benchmarks.hostile_requests import Sent

REQUESTS = int(os.environ.get("HOSTILE_REQUESTS", "210"))


def test_no_request_makes_the_service_fail_or_answer_in_another_form(service, caplog):
    verdicts = list(hostile.judged(service[0], 1, range(REQUESTS)))
    faults = [verdict for verdict in verdicts if verdict.fault]
    assert not faults, "\n".join(map(str, faults))
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR or record.exc_info]
    assert {verdict.status // 100 for verdict in verdicts} >= {1, 2, 4}
    assert len({verdict.status for verdict in verdicts}) >= 12


REFUSAL = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        (b"HTTP/1.1 500 x\r\nContent-Length: 2\r\n\r\n{}", "the service failed"),
        (b"HTTP/1.1 400 x\r\nContent-Length: 2\r\n\r\nno", "another form of refusal"),
        (b"HTTP/1.1 400 x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", "another form"),
        (b"nonsense\r\n\r\n", "no HTTP"),
        (b"", "no answer"),
        (
            b'HTTP/1.1 404 x\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n{"detail":"no"}'[:-1],
            "another",
        ),
        (b'HTTP/1.1 404 x\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{"detail":"no"}', ""),
    ],
)
def test_a_fault_would_be_seen(said, fault):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            link, _ = listener.accept()
            with link:
                link.recv(1000)
                link.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        sent = Sent(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        status, found = hostile.judge(sent, *hostile.exchange(listener.getsockname(), sent))
        thread.join()
    assert found.startswith(fault) if fault else (status, found) == (404, "")


def test_a_refusal_is_a_sentence_or_faults_with_their_places():
    faults = [{"loc": ["query", "x"], "msg": "Invalid x", "value": None}]
    for detail, good in (("no", True), ("", False), (faults, True), ([], False), ([{"msg": "x"}], False), (5, False)):
        assert hostile.is_refusal(REFUSAL, json.dumps({"detail": detail}).encode()) is good
    assert not hostile.is_refusal({"content-type": "text/plain"}, b'{"detail":"no"}')
