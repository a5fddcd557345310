"""JSON Patch (RFC 6902), as far as the webhook uses it: `add`, as an API server applies it."""

import copy


def _segments(pointer):
    assert pointer.startswith("/"), pointer
    return [each.replace("~1", "/").replace("~0", "~") for each in pointer[1:].split("/")]


def apply(document, operations):
    """The document with the operations done; a place that is not there is an error."""
    document = copy.deepcopy(document)
    for operation in operations:
        assert set(operation) == {"op", "path", "value"} and operation["op"] == "add", operation
        *way, last = _segments(operation["path"])
        target = document
        for name in way:
            target = target[int(name)] if isinstance(target, list) else target[name]
        if isinstance(target, list):
            target.insert(len(target) if last == "-" else int(last), operation["value"])
        else:
            target[last] = operation["value"]
    return document
