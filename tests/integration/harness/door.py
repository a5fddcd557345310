"""A real Envoy that asks onceproxy about its requests, with the configuration that deploy/envoy ships."""

import pathlib

import yaml

from .client import once
from .envoy import Envoy, prepared
from .message import request
from .upstream import executed
from .wait import eventually

SIDECAR = pathlib.Path(__file__).parents[3] / "deploy" / "envoy" / "ext-proc-sidecar.yaml"


def find(config, kind):
    """The typed configuration whose @type ends in `kind`, wherever it stands."""
    if isinstance(config, dict):
        if str(config.get("@type", "")).endswith(kind):
            return config
        config = list(config.values())
    found = (find(item, kind) for item in config) if isinstance(config, list) else ()
    return next(filter(None, found), None)


def route_of(config):
    manager = find(config, "HttpConnectionManager")
    return manager["route_config"]["virtual_hosts"][0]["routes"][0]["route"]


class Door:
    """A service, onceproxy, and an Envoy in front of the one that asks the other."""

    def __init__(self, stage, version, directory):
        self.stage = stage
        self.version = version
        self.directory = directory
        self.envoys = []

    def open(self, handler=executed, policies=None, change=None, upstream=None, envoy="127.0.0.1:0", forwarding=None,
             **changes):
        """`forwarding`: onceproxy's settings of its upstream."""
        self.upstream = upstream or self.stage.upstream(handler)
        listen = envoy if isinstance(envoy, dict) else {"listen": envoy}
        self.proxy = self.stage.proxy(self.upstream, policies, envoy=listen, **changes,
                                     **({"upstream": forwarding} if forwarding else {}))
        return self.put_envoy(change)

    def put_envoy(self, change=None):
        config = yaml.safe_load(SIDECAR.read_text())
        if change:
            change(config)
        host, port = self.proxy.listeners["envoy"]
        clusters = {"service": self.upstream.address}
        if port is not None:
            clusters["onceproxy"] = (host, port)
        config = prepared(config, clusters)
        if port is None:
            cluster = config["static_resources"]["clusters"][1]
            endpoint = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
            endpoint["address"] = {"pipe": {"path": host.removeprefix("unix:")}}
        self.envoy = Envoy(config, self.directory / f"envoy-{len(self.envoys)}", self.version, level="warning")
        self.envoys.append(self.envoy)
        self.data = self.envoy.listener()
        return self

    @property
    def told(self):
        """Whether this Envoy asks about answers of its own, too; 1.36 does not."""
        return not self.version.startswith("1.36.")

    def fails(self, answer, status, problem, envoys):
        """The answer says that the service did not: with `status`, or `envoys` where that is Envoy's own."""
        if self.told:
            assert (answer.status, answer.decision, answer.problem) == (status, "upstream-error", problem)
        else:
            assert (answer.status, answer.decision) == (envoys, None)

    def ask(self, *args, **kwargs):
        return once(self.data, request(*args, **kwargs))

    def records(self):
        return self.proxy.operator.get("/records")["items"]

    def record(self, state):
        """The one record there is, once it is in that state."""
        def found():
            records = self.records()
            return len(records) == 1 and records[0]["state"] == state and records[0]
        return eventually(found, f"one record, {state}; there are {self.records()}")

    def told_messages(self):
        """How many messages Envoy has sent to onceproxy."""
        return self.envoy.stat("http.service.ext_proc.stream_msgs_sent")

    def close(self):
        for envoy in self.envoys:
            if envoy.process.returncode is None:
                envoy.close()
