"""An answer's id, its rating, and what an agent hears of it."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from gateway.lab.client import Reply
from gateway.lab.process import Experiment, Gateway
from quantdeck_core.protocol.signals import SignalsAsk


async def say(gateway: Gateway, answer: str, **said: object) -> Reply:
    return await gateway.ask("POST", "/v1/feedback", json.dumps({"answer": answer, **said}).encode())


async def rate(gateway: Gateway, answer: str, rating: object, **more: object) -> Reply:
    return await say(gateway, answer, rating=rating, **more)


async def test_every_answer_of_an_arm_has_an_id_of_its_own(gateway: Gateway, experiment: Experiment) -> None:
    await gateway.serve(experiment.route())
    replies = [
        await gateway.chat(),
        await gateway.chat(stream=True),
        await gateway.chat(act="fail"),
        await gateway.chat(act="reset"),
    ]
    await gateway.serve(experiment.route(control=[]))
    replies.append(await gateway.chat())
    assert [reply.status for reply in replies] == [200, 200, 500, 502, 503]
    ids = [reply.headers["x-quantdeck-answer"] for reply in replies]
    assert len(set(ids)) == len(ids)
    assert "x-quantdeck-answer" not in (await gateway.ask("GET", "/v1/models")).headers


async def test_a_rating_reaches_the_agent(gateway: Gateway, experiment: Experiment) -> None:
    await gateway.serve(experiment.route(10_000))
    feed = await gateway.listen()
    ids = [(await gateway.chat()).headers["x-quantdeck-answer"] for _ in range(2)]
    for answer, rating in ((ids[0], "up"), (ids[1], "down"), (ids[0], -0.5)):
        assert (await rate(gateway, answer, rating)).status == 202
    got = [await feed.next_rating(experiment.name) for _ in range(3)]
    assert [(one.variant, one.generation, one.rating) for one in got] == [
        ("treatment", 3, 1.0),
        ("treatment", 3, -1.0),
        ("treatment", 3, -0.5),
    ]
    assert got[0].answer == got[2].answer != got[1].answer
    await feed.close()
    again = await gateway.listen(SignalsAsk(epoch=feed.hello.epoch, after=got[0].seq))
    assert await again.next_rating(experiment.name) == got[1]
    await again.close()
    metrics = (await gateway.ask("GET", "/metrics")).body.decode()
    arm = f'experiment="{experiment.name}",variant="treatment"'
    assert f'quantdeck_gateway_feedback_total{{{arm},rating="up"}} 1\n' in metrics
    assert f'quantdeck_gateway_feedback_total{{{arm},rating="down"}} 2\n' in metrics


async def test_what_came_of_an_answer_reaches_the_agent(gateway: Gateway, experiment: Experiment) -> None:
    await gateway.serve(experiment.route())
    feed = await gateway.listen()
    answer = (await gateway.chat()).headers["x-quantdeck-answer"]
    assert (await say(gateway, answer, task_completed=False)).status == 202
    assert (await say(gateway, answer, session_continued=True, rating="up")).status == 202
    got = [await feed.next_rating(experiment.name) for _ in range(2)]
    assert [(one.rating, one.task_completed, one.session_continued) for one in got] == [
        (None, False, None),
        (1.0, None, True),
    ]
    assert got[0].answer == got[1].answer
    assert (await say(gateway, answer)).error == "bad_feedback"
    await feed.close()
    metrics = (await gateway.ask("GET", "/metrics")).body.decode()
    arm = f'experiment="{experiment.name}",variant="control"'
    for name, count in (("task_not_completed", 1), ("session_continued", 1), ("up", 1)):
        assert f'quantdeck_gateway_feedback_total{{{arm},rating="{name}"}} {count}\n' in metrics


async def test_what_is_no_rating_is_refused(gateway: Gateway, experiment: Experiment) -> None:
    await gateway.serve(experiment.route())
    answer = (await gateway.chat()).headers["x-quantdeck-answer"]
    assert (await rate(gateway, answer[:-1] + "x", "up")).error == "unknown_answer"
    assert (await rate(gateway, answer, "up", comment="canary")).error == "feedback_has_more"
    assert (await rate(gateway, answer, 2)).status == 400
    assert (await gateway.ask("GET", "/v1/feedback")).status == 404
    await gateway.serve(msgspec.structs.replace(experiment.route(), name="another"))
    assert (await rate(gateway, answer, "up")).status == 404


async def test_answers_from_before_a_restart_can_be_rated(tmp_path: Path, experiment: Experiment) -> None:
    first = Gateway(tmp_path)
    await first.serve(experiment.route())
    answer = (await first.chat()).headers["x-quantdeck-answer"]
    assert first.end() == 0
    second = Gateway(tmp_path)
    try:
        assert (await rate(second, answer, "up")).status == 202
    finally:
        assert second.end() == 0


async def test_without_an_analyser_a_rating_is_not_taken(tmp_path: Path, experiment: Experiment) -> None:
    gateway = Gateway(tmp_path, signals=False)
    try:
        await gateway.serve(experiment.route())
        answer = (await gateway.chat()).headers["x-quantdeck-answer"]
        assert (await rate(gateway, answer, "up")).status == 503
    finally:
        assert gateway.end() == 0
