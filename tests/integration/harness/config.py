"""Configurations as dictionaries: common defaults, and the changes of a test."""

import copy


def settings(target, data, policies=(), **changes):
    """A whole configuration in front of `target` (an address) with its store in `data`.

    `changes` are merged over it; nested dictionaries are merged, not replaced. A store in
    PostgreSQL takes the place of the one in `data`.
    """
    base = {
        "listen": "127.0.0.1:0",
        "upstream": {"address": target},
        "store": {"rocksdb": {"path": str(data)}},
        "admin": {"listen": "127.0.0.1:0"},
        "telemetry": {"listen": "127.0.0.1:0"},
        "workers": 2,
        "policies": list(policies),
    }
    if "postgres" in changes.get("store", {}):
        del base["store"]
    return merge(base, changes)


def policy(**changes):
    """A policy that covers POST /orders by the client's own key."""
    base = {
        "name": "orders",
        "match": {"methods": ["POST"], "path": "/orders"},
        "fingerprint": "client_key",
        "scope": "shared",
    }
    return merge(base, changes)


def merge(base, changes):
    merged = copy.deepcopy(base)
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged
