"""`onceproxy store`: preparing the database of a shared store, and moving live records from one store to the
other."""

import stat
import subprocess
import threading

import pytest
import yaml

from harness import Client, StartFailed, policy, request, settings
from harness.client import once
from harness.process import binary, run
from test_entities import decline, dispatch, rides


@pytest.fixture
def empty(postgres):
    """A database without a schema."""
    return postgres.database()


@pytest.fixture
def config(directory):
    """Writes a configuration with a store; its path."""

    def write(name, store, policies=(), **changes):
        path = directory / f"{name}.yaml"
        path.write_text(yaml.safe_dump(settings("127.0.0.1:1", directory / "unused", policies,
                                                store=store, **changes)))
        return path

    return write


def schemas(database):
    return database.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'onceproxy'")


def test_a_start_without_a_schema_is_refused_with_the_command_that_makes_it(stage, upstream, empty):
    proxy = stage.proxy(upstream, start=False, store=empty.store())
    with pytest.raises(StartFailed) as failed:
        proxy.start()
    assert failed.value.code == 3
    assert "onceproxy store migrate" in failed.value.output
    assert schemas(empty) == "0"


def test_migrate_makes_the_schema_once(config, empty):
    path = config("pg", empty.store())
    shown = run("store", "migrate", "-c", path, "--dry-run")
    assert shown.returncode == 0, shown.stderr
    assert "CREATE TABLE operations" in shown.stdout
    assert schemas(empty) == "0"
    first = run("store", "migrate", "-c", path)
    assert first.returncode == 0, first.stderr
    assert "version 1" in first.stdout and "version 2" in first.stdout
    tables = empty.sql("SELECT relname, relfilenode FROM pg_class ORDER BY 1")
    again = run("store", "migrate", "-c", path)
    assert (again.returncode, again.stderr) == (0, "")
    assert empty.sql("SELECT relname, relfilenode FROM pg_class ORDER BY 1") == tables
    assert run("store", "migrate", "-c", path, "--dry-run").stdout == again.stdout


def test_migrations_at_once_do_not_meet(config, empty):
    path = config("pg", empty.store())
    processes = [subprocess.Popen([binary(), "store", "migrate", "-c", str(path)],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                 for _ in range(6)]
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, out + err
    assert empty.value("SELECT count(*) FROM onceproxy.schema_version") == "2"


def test_another_schema_is_another_store(stage, upstream, config, empty):
    for schema in ("first", "second"):
        result = run("store", "migrate", "-c", config(schema, empty.store(schema=schema)))
        assert result.returncode == 0, result.stderr
    one, other = [stage.proxy(upstream, store=empty.store(schema=schema), workers=1)
                  for schema in ("first", "second")]
    for proxy in (one, other):
        assert once(proxy.data, request(key="k")).decision == "forwarded"
        assert once(proxy.data, request(key="k")).decision == "replayed"


def test_a_schema_from_a_later_version_is_refused(stage, upstream, config, database):
    database.sql("INSERT INTO onceproxy.schema_version (version) VALUES (999)")
    proxy = stage.proxy(upstream, start=False, store=database.store())
    with pytest.raises(StartFailed) as failed:
        proxy.start()
    assert "999" in failed.value.output
    result = run("store", "migrate", "-c", config("pg", database.store()))
    assert result.returncode == 1 and "999" in result.stderr


def test_rocksdb_needs_no_migration(config, directory):
    result = run("store", "migrate", "-c", config("r", {"rocksdb": {"path": str(directory / "r")}}))
    assert (result.returncode, result.stdout) == (0, "the store is RocksDB, which needs no migration\n")


def test_a_database_that_cannot_be_reached_is_said_in_one_line(config):
    url = "postgresql://me@127.0.0.1:1/none"
    result = run("store", "migrate", "-c", config("pg", {"postgres": {"url": url}}))
    assert result.returncode == 1
    assert "127.0.0.1" in result.stderr and result.stdout == ""


SECRET = "hunter2"


@pytest.fixture
def secured(postgres):
    """A database whose role has a password, which the server asks for."""
    database = postgres.database()
    if not postgres.sql("SELECT 1 FROM pg_roles WHERE rolname = 'secured'"):
        postgres.sql(f"CREATE ROLE secured LOGIN PASSWORD '{SECRET}' IN ROLE pg_read_all_stats")
    postgres.sql(f"ALTER DATABASE {database.name} OWNER TO secured")
    return database


def secured_url(database, password=""):
    host, port = database.postgres.primary.address
    credentials = f"secured:{password}" if password else "secured"
    return f"postgresql://{credentials}@{host}:{port}/{database.name}"


def password_ways(database, directory, password=SECRET):
    """{name: (store, variables)} of every way to give a password."""
    file, passfile = directory / "password", directory / "pgpass"
    file.write_text(password + "\n")
    passfile.write_text(f"*:*:*:secured:{password}\n")
    passfile.chmod(stat.S_IRUSR | stat.S_IWUSR)
    common = {"durability": "primary"}
    return {
        "url": ({"postgres": {"url": secured_url(database, password), **common}}, {}),
        "variable": ({"postgres": {"url": "${DATABASE_URL}", **common}},
                     {"DATABASE_URL": secured_url(database, password)}),
        "file": ({"postgres": {"url": secured_url(database), "password_file": str(file), **common}},
                 {}),
        "passfile": ({"postgres": {"url": secured_url(database), **common}},
                     {"PGPASSFILE": str(passfile)}),
    }


@pytest.mark.parametrize("way", ["url", "variable", "file", "passfile"])
def test_a_password_opens_the_database_and_is_shown_nowhere(stage, upstream, directory, config,
                                                            secured, way):
    store, variables = password_ways(secured, directory)[way]
    result = run("store", "migrate", "-c", config("pg", store), **variables)
    assert result.returncode == 0, result.stderr
    proxy = stage.proxy(upstream, store=store, variables=variables, log={"level": "trace"})
    assert once(proxy.data, request(key="k")).decision == "forwarded"
    for target in ("/config_dump", "/server_info", "/stats", "/clusters"):
        assert SECRET not in str(proxy.operator.call("GET", target)), target
    dump = proxy.operator.get("/config_dump")
    assert "rocksdb" not in str(dump)
    # A reload cannot change the store, and says so.
    changed = dict(proxy.settings, store={"postgres": {**store["postgres"], "connections": 3}})
    proxy.configure(changed)
    status, told = proxy.operator.post("/reload")
    assert status == 200 and told["kept"] == ["store.postgres.connections"], told
    proxy.terminate()
    assert SECRET not in proxy.stderr.text() + proxy.stdout.text()


def test_a_wrong_password_is_refused_without_being_shown(stage, upstream, directory, config, secured):
    for name, (store, variables) in password_ways(secured, directory, "wrong-" + SECRET).items():
        result = run("store", "migrate", "-c", config(name, store), **variables)
        assert result.returncode == 1, name
        assert "password authentication failed" in result.stderr
        assert SECRET not in result.stderr + result.stdout


def test_check_and_doctor_tell_what_is_wrong_with_the_store(config, directory, postgres, empty):
    missing = {"postgres": {**empty.store()["postgres"], "password_file": str(directory / "none")}}
    result = run("check", config("missing", missing))
    assert result.returncode == 1
    assert "store.postgres.password_file" in result.stderr
    result = run("check", config("bad", {"postgres": {"url": "postgresql://me:hunter2@db:x/y"}}))
    assert result.returncode == 1 and SECRET not in result.stdout + result.stderr
    path = config("pg", empty.store())
    assert run("check", path).returncode == 0
    doctor = run("doctor", "-c", path)
    assert doctor.returncode == 1 and "onceproxy store migrate" in doctor.stdout
    assert run("store", "migrate", "-c", path).returncode == 0
    assert "its schema onceproxy is of version 2" in run("doctor", "-c", path).stdout


LARGE = "x" * 20_000


def orders():
    return policy(lease="30s", window="1h", replay={"max_body": "64KiB"})


def policies():
    limited = policy(name="limited", match={"methods": ["POST"], "path": "/limited"},
                     rate_limit={"limit": 2, "per": "1h", "by": [{"const": "all"}]})
    held = policy(name="held", match={"methods": ["POST"], "path": "/held"},
                  outcome={"unknown": "hold"})
    return [orders(), limited, held, *rides()]


class World:
    """What a store remembers, as clients see it: made with one, and looked at with another."""

    def __init__(self, stage):
        self.stuck = threading.Event()
        self.upstream = stage.upstream(self._handle)
        self.stage = stage
        self.known = {}

    def _handle(self, exchange):
        key = exchange.request["idempotency-key"]
        if key == "stuck":
            self.stuck.wait()
        if key == "ambiguous":
            exchange.answer(502, b"")
        else:
            exchange.answer(200, LARGE if key == "large" else {"execution": exchange.execution})

    def start(self, store):
        return self.stage.proxy(self.upstream, policies(), store=store, workers=1)

    def make(self, proxy):
        for key in ("large", *(f"k{n}" for n in range(30))):
            answer = once(proxy.data, request(key=key, body="same"))
            assert answer.decision == "forwarded"
            self.known[key] = answer.body
        for n in range(2):
            once(proxy.data, request(target="/limited", key=f"limited-{n}"))
        once(proxy.data, request(target="/held", key="ambiguous"))
        assert once(proxy.data, decline("r1")).decision == "forwarded"
        client = Client(proxy.data)
        before = len(self.upstream.requests)
        client.send(request(key="stuck"))
        self.upstream.wait_for_requests(before + 1)
        return client

    def highest_fence(self):
        return max(int(r["onceproxy-fence"]) for r in self.upstream.requests if r["onceproxy-fence"])

    def look(self, proxy):
        """Everything is as it was left."""
        for key, body in self.known.items():
            answer = once(proxy.data, request(key=key, body="same"))
            assert (answer.decision, answer.body) == ("replayed", body)
        assert once(proxy.data, request(key="k0", body="other")).problem == "key-reused"
        assert once(proxy.data, request(target="/limited", key="more")).decision == "rate-limited"
        assert once(proxy.data, request(target="/held", key="ambiguous")).decision == "held"
        assert once(proxy.data, dispatch("r1")).decision == "closed"
        answer = once(proxy.data, request(key="stuck"))
        # Its holder may have renewed it without the disk knowing: a quarter and two seconds more.
        assert answer.decision == "held" and 1 <= int(answer["retry-after"]) <= 40
        fence = self.highest_fence()
        assert once(proxy.data, request(key=f"after-{fence}", body="same")).decision == "forwarded"
        assert self.highest_fence() > fence


def counts(result):
    """{what: (live, moved)} of what `store move` prints."""
    assert result.returncode == 0, result.stderr
    found = {}
    for line in result.stdout.splitlines():
        what, _, rest = line.partition(": ")
        if rest:
            live, *moved = rest.split(", ")
            found[what] = (int(live.split()[0]), int(moved[0].split()[0]) if moved else None)
    return found


@pytest.fixture
def world(stage):
    made = World(stage)
    yield made
    made.stuck.set()


def test_everything_that_lives_is_carried_there_and_back(world, config, directory, database):
    rocksdb = {"rocksdb": {"path": str(directory / "first")}}
    before, shared = config("before", rocksdb), config("shared", database.store())
    proxy = world.start(rocksdb)
    client = world.make(proxy)
    proxy.kill9()
    client.close()

    dry = counts(run("store", "move", "-c", before, "--to", shared, "--dry-run"))
    assert dry == {"operations": (36, None), "entities": (1, None), "rate limits": (1, None)}
    assert database.value("SELECT count(*) FROM onceproxy.operations") == "0"
    moved = counts(run("store", "move", "-c", before, "--to", shared))
    assert moved == {"operations": (36, 36), "entities": (1, 1), "rate limits": (1, 1)}
    again = counts(run("store", "move", "-c", before, "--to", shared))
    assert again == {"operations": (36, 0), "entities": (1, 0), "rate limits": (1, 0)}
    proxy = world.start(database.store())
    world.look(proxy)
    proxy.terminate()
    database.sql("DELETE FROM onceproxy.operations WHERE path = '/limited'")

    # What PostgreSQL has done since is not for the old directory, nor is the old for PostgreSQL.
    for pair in ((shared, before), (before, shared)):
        refused = run("store", "move", "-c", pair[0], "--to", pair[1])
        assert refused.returncode == 1
        assert "nothing was moved" in refused.stderr

    last = {"rocksdb": {"path": str(directory / "last")}}
    back = config("back", last)
    assert counts(run("store", "move", "-c", shared, "--to", back, "--dry-run"))
    assert not (directory / "last").exists()
    moved = counts(run("store", "move", "-c", shared, "--to", back))
    assert moved["operations"] == (35, 35)
    assert counts(run("store", "move", "-c", shared, "--to", back))["operations"] == (35, 0)
    for path in (directory / "last").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    proxy = world.start(last)
    world.look(proxy)


def test_a_store_in_use_is_not_moved(world, config, directory, database):
    rocksdb = {"rocksdb": {"path": str(directory / "first")}}
    before, shared = config("before", rocksdb), config("shared", database.store())
    proxy = world.start(rocksdb)
    result = run("store", "move", "-c", before, "--to", shared)
    assert result.returncode == 1 and "in use by another process" in result.stderr
    proxy.terminate()
    proxy = world.start(database.store())
    for pair in ((before, shared), (shared, before)):
        result = run("store", "move", "-c", pair[0], "--to", pair[1])
        assert result.returncode == 1 and "in use" in result.stderr, result
    proxy.terminate()
    assert run("store", "move", "-c", before, "--to", shared).returncode == 0


def test_a_store_that_cannot_be_moved_is_refused(config, directory, database, empty):
    missing = config("missing", {"rocksdb": {"path": str(directory / "missing")}})
    shared = config("shared", database.store())
    result = run("store", "move", "-c", missing, "--to", shared)
    assert result.returncode == 1 and "there is no store" in result.stderr
    assert not (directory / "missing").exists()
    same = run("store", "move", "-c", missing, "--to", missing)
    assert same.returncode == 1 and "one of them must have the other store" in same.stderr
    result = run("store", "move", "-c", shared, "--to", config("empty", empty.store()))
    assert result.returncode == 1
    assert run("store", "move", "-c", shared, "--to", directory / "nowhere.yaml").returncode == 2
