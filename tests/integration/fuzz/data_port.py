"""Cases for the data port, in front of a service that behaves correctly."""

import random

from harness.message import Malformed

from . import answers, requests
from .client import play
from .connections import Ending, Script, in_pieces
from .mutation import mutate
from .reading import read_answers

TIMED_OUT = (408, 503, 504)  # where the program says so itself
MESSAGES = [b"ping", b"\x81\x85\x00\x00\x00\x00hello", b"x" * 5000]


def plan(request):
    """What the service answers: always the same to the same target."""
    return answers.plan(random.Random(f"answer-{request.target}"), request)


def ending(generator):
    return generator.choice([Ending.FINISH] * 5 + [Ending.WAIT] * 3 + [Ending.CLOSE, Ending.RESET, Ending.DEAF])


async def right(campaign, generator, number, address, service):
    """A pipeline as it should be: an answer to each request, in order, and not a byte more."""
    pipeline = requests.pipeline(generator, campaign.terms.seed, number)
    messages = generator.choice(MESSAGES) if pipeline[-1].websocket else b""
    data = b"".join(request.data for request in pipeline) + messages
    script = Script(in_pieces(generator, data), generator.choice([Ending.FINISH, Ending.WAIT]))
    played = await play(address, script)
    exchanges = [service.exchanges.pop(request.token, []) for request in pipeline]
    found, rest = read_answers(played.data, True, any(r.method == "HEAD" for r in pipeline))
    if played.late or any(answer.status in TIMED_OUT and not answer["x-echo"] for answer in found):
        return  # the machine was too busy
    if played.end != "closed":
        campaign.fault(f"the connection was {played.end}", data, played.data, case=number)
    expected = [request.token for request in pipeline]
    if found and found[-1]["x-early"] and found[-1].closes:
        expected = expected[: len(found)]  # nothing is read behind a body that was not waited for
    if pipeline[-1].websocket:
        rest = b"" if script.ending is Ending.WAIT else rest.removeprefix(messages.upper())
    if [answer["x-echo"] for answer in found] != expected or rest:
        seen = [(answer.status, answer["x-echo"]) for answer in found]
        campaign.fault(f"{expected} asked, {seen} answered", data, played.data, case=number)
    for request, got in zip(pipeline[: len(found)], exchanges):
        if not forwarded(request, got):
            campaign.fault(f"{request.target} did not reach the service once, as it was", data,
                           *(exchange.request.head for exchange in got), case=number)


def forwarded(request, exchanges):
    """The service got the request once, and what it got is what was sent."""
    if len(exchanges) != 1:
        return False
    got, early = exchanges[0].request, exchanges[0].plan.early  # then its body may still be coming
    return (got.method, got.target, early or got.body) == (request.method, request.target,
                                                           early or request.body)


def mutated(generator, seed, number):
    pipeline = requests.pipeline(generator, seed, number)
    if generator.random() < 0.5:  # one request of them, or all as one
        chosen = generator.randrange(len(pipeline))
        data = b"".join(mutate(generator, request.data) if at == chosen else request.data
                        for at, request in enumerate(pipeline))
    else:
        data = mutate(generator, b"".join(request.data for request in pipeline))
    if pipeline[-1].websocket:
        data += generator.choice(MESSAGES)
    elif generator.random() < 0.05:
        name = requests.token(seed, number, len(pipeline))
        data += requests.make_websocket(generator, name, b"0123456789").data[: generator.choice([-5, None])]
    return Script(in_pieces(generator, data), ending(generator))


async def wrong(campaign, generator, number, address, _):
    """Anything: answered in well-formed HTTP, to nobody but who asked, and closed in time."""
    script = mutated(generator, campaign.terms.seed, number)
    played = await play(address, script)
    if played.end == "open":
        campaign.fault("the connection was not closed", script.data, played.data, case=number)
    try:
        found, _ = read_answers(played.data, played.end == "closed", b"HEAD " in script.data)
    except Malformed as error:
        campaign.fault(f"answered with what is no HTTP: {error}", script.data, played.data, case=number)
        return
    for answer in found:
        name = (answer.all("x-echo") or ["none"])[0]
        if name != "none" and name.encode("latin-1") not in script.data:
            campaign.fault(f"another's answer, {name}", script.data, played.data, case=number)


def case(address, service):
    async def run(campaign, generator, number):
        one = right if generator.random() < 0.2 else wrong
        await one(campaign, generator, number, address, service)

    return run
