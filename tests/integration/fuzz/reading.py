"""Parses everything that a client received: complete answers only, and at the end possibly a part of one."""

from harness.message import Incomplete, Malformed, parse_head, parse_response


def final_head(data):
    """(status, headers) of the answer that `data` begins with, behind its interim answers."""
    while True:
        start, headers, size = parse_head(data)
        if start[9:10] != b"1" or start[9:12] == b"101":
            return int(start[9:12]) if start[9:12].isdigit() else 0, headers
        data = data[size:]


def _methods(data, possible):
    """The methods that the next answer may belong to: what it says itself, or any."""
    said = [value for name, value in final_head(data)[1] if name.lower() == "x-method"]
    return [said[0]] if said else possible


def read_answers(data, closed, heads):
    """(answers, what is left). `heads`: a request may have been HEAD, to which an answer has no body
    whatever it declares; the reading that makes sense of everything then counts."""
    possible = ["GET", "HEAD"] if heads else ["GET"]
    dead = {}  # places from which nothing makes sense: why

    def walk(at):
        if at in dead:
            raise dead[at]
        if at == len(data):
            return [], b""
        wrong = None
        try:
            methods = _methods(data[at:], possible)
        except Incomplete:
            return [], data[at:]
        except Malformed as error:
            dead[at] = error
            raise
        for method in methods:
            try:
                answer, used = parse_response(data[at:], method, closed)
                if answer.status == 101:
                    return [answer], data[at + used :]
                more, rest = walk(at + used)
                return [answer, *more], rest
            except Incomplete:
                return [], data[at:]
            except Malformed as error:
                wrong = error
        dead[at] = wrong
        raise wrong

    return walk(0)
