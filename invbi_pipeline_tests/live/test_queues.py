"""What waits in an SQS queue: a real client, and moto's server on loopback."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from moto.server import ThreadedMotoServer

from invbi_pipeline.channels.amazon.notifications import parse_notification
from invbi_pipeline.errors import Refused, StoreBusy, Unreachable
from invbi_pipeline.live import queues
from invbi_pipeline.live.queues import SqsQueue, take
from invbi_pipeline.sandbox.contract import Line
from invbi_pipeline.sandbox.courier import Courier
from invbi_pipeline.store.inbox import Delivery
from invbi_pipeline.store.state import State
from invbi_pipeline_tests.channels.amazon.shop import shop
from invbi_pipeline_tests.live.door import state_in
from invbi_pipeline_tests.sandbox.serving import HandClock

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

parse = partial(parse_notification, "amazon_uk")


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def sqs(aws: str, monkeypatch: pytest.MonkeyPatch) -> "SQSClient":
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", aws)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    monkeypatch.setattr(queues, "_WAIT_S", 0)
    return boto3.client("sqs")


@pytest.fixture
def url(sqs: "SQSClient", request: pytest.FixtureRequest) -> str:
    name = "".join(letter for letter in request.node.name if letter.isalnum())[:60]
    return sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "0"})["QueueUrl"]


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with state_in(tmp_path) as opened:
        yield opened


def _notification(n: int) -> str:
    about = {"NotificationId": f"n-{n}"}
    payload = {"OrderChangeNotification": {"AmazonOrderId": f"903-{n}"}}
    return json.dumps({"NotificationType": "ORDER_CHANGE", "Payload": payload, "NotificationMetadata": about})


def _take(url: str, state: State) -> tuple[int, int]:
    return asyncio.run(take(SqsQueue(url), parse, state.inbox.receive, HandClock()))


def test_an_id_that_nothing_can_hold_spoils_neither_the_inbox_nor_what_came_beside_it(
    sqs: "SQSClient", url: str, state: State
) -> None:
    sqs.send_message(QueueUrl=url, MessageBody=_notification(0).replace("903-0", r"903-\ud800"))
    sqs.send_message(QueueUrl=url, MessageBody=_notification(1))

    while sum(_take(url, state)):
        pass

    assert sorted(order for orders in state.inbox.held()["order_ids"] for order in orders) == ["903-1"]


def test_what_waits_in_the_queue_is_in_the_inbox_and_not_in_the_queue_any_more(sqs: "SQSClient", url: str, state: State) -> None:
    for n in range(3):
        sqs.send_message(QueueUrl=url, MessageBody=_notification(n))

    assert _take(url, state) == (3, 0)

    assert sorted(one.order_ids for one in state.inbox.waiting()) == [("903-0",), ("903-1",), ("903-2",)]
    assert _take(url, state) == (0, 0)


def test_a_message_that_comes_twice_is_stored_once(sqs: "SQSClient", url: str, state: State) -> None:
    for _ in range(2):
        sqs.send_message(QueueUrl=url, MessageBody=_notification(1))

    assert _take(url, state) == (1, 0)
    assert len(state.inbox.waiting()) == 1


def test_what_could_not_be_stored_stays_in_the_queue(sqs: "SQSClient", url: str, state: State) -> None:
    def busy(batch: Sequence[Delivery]) -> list[bool]:
        raise StoreBusy("held")

    sqs.send_message(QueueUrl=url, MessageBody=_notification(1))

    with pytest.raises(StoreBusy):
        asyncio.run(take(SqsQueue(url), parse, busy, HandClock()))

    assert _take(url, state) == (1, 0)


def test_a_message_that_is_no_notification_is_counted_and_never_comes_back(sqs: "SQSClient", url: str, state: State) -> None:
    sqs.send_message(QueueUrl=url, MessageBody="hello")
    sqs.send_message(QueueUrl=url, MessageBody=_notification(1))

    assert _take(url, state) == (1, 1)
    assert _take(url, state) == (0, 0)


def test_a_queue_that_is_not_there_is_refused_without_its_address(sqs: "SQSClient", url: str) -> None:
    with pytest.raises(Refused, match="NonExistentQueue") as refused:
        asyncio.run(SqsQueue(f"{url}-other").receive())
    assert "http" not in str(refused.value)


def test_a_service_that_does_not_answer_is_out_of_reach(monkeypatch: pytest.MonkeyPatch, sqs: "SQSClient", url: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(Unreachable, match="EndpointConnectionError"):
        asyncio.run(SqsQueue(url).receive())


def test_a_queue_says_its_name_and_who_may_write_to_it(sqs: "SQSClient", url: str) -> None:
    queue = SqsQueue(url)
    assert asyncio.run(queue.arn()).startswith("arn:aws:sqs:eu-west-1:")
    assert asyncio.run(queue.writers()) == frozenset()
    allow = {"Effect": "Allow", "Action": ["sqs:SendMessage", "sqs:GetQueueAttributes"], "Resource": "*"}
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {**allow, "Principal": {"AWS": ["arn:aws:iam::437568002678:root", "111122223333"]}},
            {**allow, "Effect": "Deny", "Principal": {"AWS": "444455556666"}},
            {**allow, "Action": "sqs:ReceiveMessage", "Principal": {"AWS": "777788889999"}},
        ],
    }
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    assert asyncio.run(queue.writers()) == {"437568002678", "111122223333"}


def test_what_the_emulated_amazon_tells_reaches_the_inbox_by_the_queue(sqs: "SQSClient", url: str, state: State) -> None:
    seller = shop()
    asyncio.run(seller.channel.subscriptions(asyncio.run(SqsQueue(url).arn()), mend=True))
    courier = Courier()
    seller.account.on_webhook(courier)

    order = seller.account.order([Line("M-0", 1)])

    assert _take(url, state) == (2, 0)
    courier.close()
    waiting = state.inbox.waiting()
    assert {one.topic for one in waiting} == {"ORDER_CHANGE", "LISTINGS_ITEM_MFN_QUANTITY_CHANGE"}
    assert {name for one in waiting for name in one.order_ids} == {order}
    assert {name for one in waiting for name in one.listing_keys} == {"M-0"}


def test_the_sandbox_writes_to_queues_of_this_machine_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "https://sqs.eu-west-1.amazonaws.com")
    with pytest.raises(ConnectionError, match="this machine"):
        Courier()("arn:aws:sqs:eu-west-1:1:q", {}, b"{}")
