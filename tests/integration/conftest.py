"""Fixtures: an upstream, and the program in front of it. Both are checked when a test is done."""

import pathlib
import shutil
import tempfile

import pytest

from harness import Onceproxy, Upstream, policy, settings
from harness.certificates import Authority, client_context, server_context
from harness.door import Door
from harness.envoy import TESTED
from harness.kubelet import Node
from harness.listeners import Listeners
from harness.postgres import Postgres
from harness.secure_upstream import SecureUpstream


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Remembers how a test ended, and shows what the programs of a failed one said."""
    outcome = yield
    report = outcome.get_result()
    if call.when == "call":
        item.failed = report.failed
    if report.failed:
        stages = [value for value in item.funcargs.values() if isinstance(value, Stage)]
        for proxy in (proxy for each in stages for proxy in each.proxies if proxy.stderr):
            state = "running" if proxy.running else "ended"
            report.sections.append((f"onceproxy, {state}", proxy.stderr.text()[-8000:]))


class Stage:
    """Makes upstreams and proxies for a test, and takes them down in order."""

    def __init__(self, directory):
        self.directory = directory
        self.upstreams = []
        self.proxies = []

    def upstream(self, *args, **kwargs):
        made = Upstream(*args, **kwargs)
        self.upstreams.append(made)
        return made

    def proxy(self, target, policies=None, start=True, arguments=None, variables=None, prefix=(),
              **changes):
        """The program in front of `target`, with one policy on POST /orders unless told.

        `changes` are merged into the configuration.
        """
        number = len(self.proxies)
        directory = self.directory / f"proxy-{number}"
        directory.mkdir()
        config = settings(getattr(target, "address", target), directory / "data",
                          [policy()] if policies is None else policies, **changes)
        options = {} if arguments is None else {"arguments": arguments}
        made = Onceproxy(config, directory, variables=variables, prefix=prefix, **options)
        made.settings = config
        self.proxies.append(made)
        return made.start() if start else made

    def close(self, failed=False):
        problems = []
        for thing in self.proxies + self.upstreams:
            try:
                if failed and isinstance(thing, Onceproxy):
                    thing.abandon()
                else:
                    thing.close()
            except Exception as error:
                problems.append(str(error) or repr(error))
                if isinstance(thing, Onceproxy):
                    thing.abandon()
        assert failed or not problems, "\n".join(problems)


@pytest.fixture
def directory():
    """A directory of the test's own; short, for a unix socket's path may not be long."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="onceproxy-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def stage(request, directory):
    made = Stage(directory)
    yield made
    made.close(failed=getattr(request.node, "failed", False))


@pytest.fixture(scope="module")
def shared_stage():
    """For a file whose tests share one proxy."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="onceproxy-"))
    made = Stage(path)
    yield made
    try:
        made.close()
    finally:
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def authority():
    """Issues certificates."""
    return Authority()


@pytest.fixture
def files(directory, authority):
    """A certificate of the program, and its key."""
    return authority.issue().write(directory, "tls")


@pytest.fixture
def context(authority):
    """How a client that trusts the authority speaks TLS."""
    return client_context(authority)


@pytest.fixture
def secure(stage, directory, authority):
    """Makes upstreams that speak TLS, and takes them down with the stage."""

    def make(issued=None, answer=None, clients=None):
        made = SecureUpstream(server_context(issued or authority.issue(), directory, clients), answer)
        stage.upstreams.append(made)
        return made

    return make


@pytest.fixture(scope="session")
def postgres():
    """A server without a standby; nothing that a test does to it may outlast the test."""
    made = Postgres()
    yield made
    made.close()


@pytest.fixture
def database(postgres, directory):
    """An empty database with onceproxy's schema."""
    return postgres.database().migrate(directory)


@pytest.fixture
def listeners():
    """Makes listeners that events are delivered to."""
    made = Listeners()
    yield made
    made.close()


@pytest.fixture
def node(directory):
    """Runs pods of deploy/kubernetes."""
    made = Node(directory)
    yield made
    made.close()


@pytest.fixture
def upstream(stage):
    return stage.upstream()


@pytest.fixture
def proxy(stage, upstream):
    return stage.proxy(upstream)


@pytest.fixture(params=TESTED)
def door(request, stage, directory):
    """A real Envoy that asks onceproxy, of each version that is tested, once it is open()."""
    made = Door(stage, request.param, directory)
    yield made
    made.close()
