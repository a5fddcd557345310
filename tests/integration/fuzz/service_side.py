"""Cases for the service's side: valid requests from clients, and any answers of the service."""

import random
import re

from harness.message import Incomplete, Malformed, parse_response

from . import answers, requests
from .client import Caller
from .connections import Ending, Script, in_pieces
from .mutation import WORDS, mutate
from .reading import final_head

# What the program takes and drops, and the strict parser refuses: chunk extensions, white space behind
# a chunk's size, trailers, the length of a 204 or a 101, a status line that ends behind its number.
# Such an answer is not judged.
LENIENT = re.compile(rb"[0-9A-Fa-f][ \t]*;|[0-9A-Fa-f][ \t]+\r\n|\r\n0+\r\n(?!\r\n)"
                     rb"|HTTP/1.[01] (?:204|101|[0-9]{3}\r\n)")
# What Connection may name without being refused.
OPTIONS = {"close", "keep-alive", "upgrade", ""}
RELEASED = {307, 308, 401, 407, 408, 412, 417, 421, 425, 428, 429, *range(500, 600)} - {502, 504}
HEAD, FIELDS = 60_000, 90  # of heads: bytes and fields that are certainly not too many
LATE = 2.6  # seconds; above the program's time-out


class Plans:
    """The answer to each request is made from the seed and the request's token alone."""

    def __init__(self, seed):
        self.seed = seed

    def __call__(self, request):
        generator = random.Random(f"plan-{self.seed}-{answers.name_of(request)}")
        plan = answers.plan(generator, request)
        if generator.random() < 0.2 or answers.name_of(request) == "none":
            return plan
        data = plan.script.data
        if plan.websocket:
            plan.websocket = False
            data += generator.choice([b"", b"\x81\x02hi"])
        data = mutate(generator, data)
        if generator.random() < 0.1:
            data += generator.choice(WORDS)
        pieces = in_pieces(generator, data)
        if generator.random() < 0.01:
            pieces.insert(generator.randrange(len(pieces) + 1), (b"", LATE))
        ending = generator.choice([plan.script.ending] * 3 + [Ending.WAIT, Ending.FINISH, Ending.RESET])
        return answers.Plan(Script(pieces, ending), early=generator.random() < 0.1)


def verdict(exchange):
    """What the service's bytes are: an answer that the client must get, "bad" or "unclear"."""
    script, request = exchange.plan.script, exchange.request
    late = sum(pause for _, pause in script.pieces) >= LATE
    # After unsolicited bytes it is not known which answer belongs to which request.
    if not exchange.clean or not exchange.sent or script.ending is Ending.RESET or late:
        return "unclear"
    data, closed = script.data, script.ending is Ending.FINISH
    try:
        answer, _ = parse_response(data, request.method, closed)
    except Incomplete:
        return "unclear" if LENIENT.search(data) else "bad"
    except Malformed:
        return "unclear" if LENIENT.search(data) else "bad"
    if answer.status >= 600 or len(answer.interim) > 10:
        return "bad"
    interim = [field for _, headers in answer.interim for field in headers]
    if len(data) - len(answer.body) > HEAD or len(answer.headers) > FIELDS or len(interim) > FIELDS:
        return "unclear"
    if any(name.lower() in ("content-length", "transfer-encoding") for name, _ in interim):
        return "unclear"
    options = {option.strip(" \t").lower() for name, value in interim + answer.headers
               if name.lower() == "connection" for option in value.split(",")}
    huge = any(len(value) > 18 for value in answer.all("content-length"))  # more than 63 bits
    return "unclear" if answer.status == 101 or huge or not options <= OPTIONS else answer


def judge(campaign, number, asked, exchange, answer, left):
    """`answer` is what the client got, or None; `left` the bytes that were no whole answer."""
    said = verdict(exchange)
    own = answer is not None and answer.all("content-type") == ["application/problem+json"]
    seen = (exchange.plan.script.data, answer.raw if answer else left)
    if answer is not None and not own and exchange.clean:
        # The token may have been mutated; then it is still the one of these bytes.
        if any(name.encode("latin-1") not in seen[0] for name in answer.all("x-echo")):
            campaign.fault(f"{asked.token} was answered with another's answer", *seen, case=number)
    if said == "unclear" or (own and answer.status == 504):
        return
    if said == "bad":
        if answer is not None and not (own and answer.status == 502):
            campaign.fault(f"{asked.target}: a whole answer was made of a bad one", *seen, case=number)
        return
    if answer is None or (answer.status, answer.body) != (said.status, said.body):
        campaign.fault(f"{asked.target}: a right answer was not passed on", *seen, case=number)


def judge_repetition(campaign, number, asked, first, second):
    """What is replayed is what the first one got, byte for byte."""
    if first is None or second is None or second.decision != "replayed":
        return
    if first.decision == "forwarded" and (first.status, first.body) != (second.status, second.body):
        campaign.fault(f"{asked.target}: another answer was replayed", first.raw, second.raw, case=number)


def failed(exchange):
    """The answer says that nothing was done. What is too large to keep is believed at its head."""
    try:
        status, headers = final_head(exchange.plan.script.data)
    except (Incomplete, Malformed):
        return False
    declared = [int(value) for name, value in headers if name.lower() == "content-length" and value.isdigit()]
    large = max([len(exchange.plan.script.data), *declared]) > requests.REPLAYED
    return status in RELEASED and (large or verdict(exchange) != "bad")


def judge_executions(campaign, number, asked, exchanges):
    """A covered request is let through again only where the answer before said that it failed."""
    for before in exchanges[:-1]:
        if verdict(before) != "unclear" and not failed(before):
            campaign.fault(f"{asked.target} was done twice", before.plan.script.data, case=number)


def case(address, service):
    async def run(campaign, generator, number):
        caller = Caller(address)
        pipeline = requests.pipeline(generator, campaign.terms.seed, number)
        again = generator.random() < 0.3
        try:
            for asked in pipeline:
                answer, left = await caller.call(asked)
                exchanges = service.exchanges.get(asked.token, [])
                if exchanges:
                    judge(campaign, number, asked, exchanges[-1], answer, left)
                if asked.covered and again:
                    caller.close()
                    repeated, _ = await caller.call(asked)
                    judge_repetition(campaign, number, asked, answer, repeated)
                if asked.covered:
                    judge_executions(campaign, number, asked, exchanges)
                service.exchanges.pop(asked.token, None)
                if answer is None or answer.closes or answer.status == 101 or asked.last or again:
                    caller.close()
        finally:
            caller.close()

    return run
