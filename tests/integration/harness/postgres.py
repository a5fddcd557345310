"""Debian's PostgreSQL as processes of a test: a primary, and a synchronous standby where a test wants
one. They listen on the loopback alone, on ports that were free a moment ago, and keep their data in
a directory of their own. PostgreSQL refuses to run as root, so a test that does lends its programs
another user.
"""

import getpass
import itertools
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import tempfile
import urllib.parse

import yaml

from .config import settings
from .link import Link
from .process import run
from .stopping import go_on, stop
from .wait import PATIENCE, eventually

# Debian keeps the programs of each version apart; pg_ctl is not in PATH.
PROGRAMS = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
# Bytes that two servers take at most.
ROOM = 1 << 30
SUPERUSER, ROLE = "postgres", "onceproxy"
# Either may be the primary, and either the standby, before and after a promotion.
NAMES = ("a", "b")

CONFIGURATION = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
port = {port}
shared_buffers = 32MB
max_connections = {connections}
wal_level = replica
hot_standby = on
max_wal_senders = 6
wal_keep_size = 64MB
max_wal_size = 96MB
min_wal_size = 32MB
wal_receiver_status_interval = 1s
wal_retrieve_retry_interval = 200ms
log_min_messages = warning
logging_collector = off
"""

# Only the role `secured` needs a password.
HBA = """host all secured 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
host replication all 127.0.0.1/32 trust
"""


def program(name):
    """The path of one of PostgreSQL's programs; a test that cannot have it fails, saying how to."""
    assert PROGRAMS, "PostgreSQL is not installed; deploy/setup.sh --tests does that"
    return str(PROGRAMS[-1] / name)


def unprivileged():
    """Who the server runs as, and the command that makes it so."""
    if os.geteuid() != 0:
        return getpass.getuser(), []
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return name, ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}",
                      "--clear-groups"]
    raise AssertionError("there is neither a user postgres nor a user nobody to run PostgreSQL as")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def quick_disk():
    """Where syncs cost nothing: processes are killed here, and never the machine. onceproxy refuses a
    server that does not sync at all. None: wherever temporary files are."""
    memory = pathlib.Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > ROOM
    return memory if roomy else None


def descendants(process):
    """A process and its children, which of a server are all that belong to it."""
    found = [process]
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended meanwhile
        if int(fields[1]) == process:
            found.append(int(stat.parent.name))
    return found


class Server:
    """One server and its data, which may be started and stopped any number of times."""

    def __init__(self, directory, name, connections):
        self.name = name
        self.data = directory / name
        self.log = directory / f"{name}.log"
        self.port = free_port()
        self.connections = connections
        self.user, self.prefix = unprivileged()

    @property
    def address(self):
        return ("127.0.0.1", self.port)

    def run(self, *command, within=2 * PATIENCE):
        """Runs one of PostgreSQL's programs as the server's user, to its end."""
        name, *arguments = map(str, command)
        result = subprocess.run([*self.prefix, program(name), *arguments], capture_output=True,
                                text=True, timeout=within, cwd="/", stdin=subprocess.DEVNULL,
                                env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"})
        assert result.returncode == 0, f"{name}: {result.stderr}\n{self.last_words()}"
        return result.stdout

    def last_words(self):
        return self.log.read_text(errors="replace")[-4000:] if self.log.exists() else ""

    def create(self):
        self.run("initdb", "-D", self.data, "-A", "trust", "-U", SUPERUSER, "--no-sync",
                 "-E", "UTF8", "--locale=C.UTF-8", "--no-instructions")
        self.configure()

    def copy(self, port):
        """The data of the server behind `port`, as its standby."""
        self.run("pg_basebackup", "-D", self.data, "-R", "-X", "stream", "-c", "fast", "--no-sync",
                 "-d", f"host=127.0.0.1 port={port} user={SUPERUSER} application_name={self.name}")
        self.configure()

    def configure(self):
        text = CONFIGURATION.format(port=self.port, connections=self.connections)
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(text)
        (self.data / "pg_hba.conf").write_text(HBA)

    def control(self, *arguments):
        return self.run("pg_ctl", "-D", self.data, "-s", "-w", "-t", str(int(PATIENCE)), *arguments)

    def start(self):
        # A server would keep the pipes of run() open, so its words go to a file.
        self.control("-l", self.log, "start")
        return self

    def stop(self, mode="fast"):
        if self.running:
            self.resume()
            self.control("-m", mode, "stop")

    def restart(self, mode="immediate"):
        self.control("-m", mode, "-l", self.log, "restart")

    @property
    def process(self):
        """The process id of the server; None while there is none."""
        try:
            return int((self.data / "postmaster.pid").read_text().splitlines()[0])
        except (OSError, IndexError, ValueError):
            return None

    @property
    def running(self):
        process = self.process
        return process is not None and pathlib.Path(f"/proc/{process}").exists()

    def pause(self):
        """Stops every process of the server where it is: connections stay, and nothing moves."""
        stop(*descendants(self.process))

    def resume(self):
        go_on(*descendants(self.process))

    def psql(self, database="postgres", user=SUPERUSER):
        """The command of a session."""
        return [program("psql"), "-XAtq", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1",
                "-p", str(self.port), "-U", user, "-d", database]

    def sql(self, statement, user=SUPERUSER, database="postgres", within=PATIENCE, options=""):
        """Runs statements one by one; the rows as lists of texts."""
        environment = {"PATH": os.environ["PATH"], "PGOPTIONS": options, "PGCONNECT_TIMEOUT": "10"}
        result = subprocess.run([*self.psql(database, user), "-c", statement], capture_output=True,
                                text=True, timeout=within, env=environment)
        assert result.returncode == 0, f"{statement}: {result.stderr}"
        return [line.split("\t") for line in result.stdout.splitlines()]

    def value(self, statement, **how):
        """The one value that a statement gives."""
        rows = self.sql(statement, **how)
        assert len(rows) == 1 and len(rows[0]) == 1, rows
        return rows[0][0]

    def set(self, name, value):
        """Changes a setting that a reload applies; None: back to what it was."""
        self.sql(f"ALTER SYSTEM SET {name} = '{value}'" if value is not None else
                 f"ALTER SYSTEM RESET {name}")
        self.sql("SELECT pg_reload_conf()")
        if value is not None:
            eventually(lambda: self.value(f"SHOW {name}") == str(value),
                       f"{name} is {value}")


class Postgres:
    """A server, and with `standby` a second one that every commit waits for
    (synchronous_standby_names). Replication goes through `link`: what a commit wrote while that is
    stalled never reaches the standby once it is dropped. `quick`: on a disk whose syncs cost nothing.
    """

    def __init__(self, standby=False, connections=200, quick=True):
        disk = quick_disk() if quick else None
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="onceproxy-pg-", dir=disk))
        self.servers = [Server(self.directory, name, connections) for name in NAMES]
        user, _ = unprivileged()
        if os.geteuid() == 0:
            shutil.chown(self.directory, user)
        self.primary, self.standby = self.servers[0], None
        self.synchronous = standby
        self.link = Link(self.primary.address) if standby else None
        self._numbers = itertools.count(1)
        try:
            self._create()
        except BaseException:
            self.close()
            raise

    def _create(self):
        self.primary.create()
        self.primary.start()
        self.sql(f"CREATE ROLE {ROLE} LOGIN")
        self.sql(f"GRANT pg_read_all_stats TO {ROLE}")
        if self.synchronous:
            self._follow(self.servers[1])
            for server in self.servers:
                server.set("synchronous_standby_names", f"ANY 1 ({', '.join(NAMES)})")

    def _follow(self, server):
        """Makes `server` a standby of the primary, from a new copy."""
        shutil.rmtree(server.data, ignore_errors=True)
        self.link.target = self.primary.address
        self.link.mend()
        server.copy(self.link.address[1])
        server.start()
        self.standby = server
        self.standby_streams()

    def standby_streams(self):
        """Waits until the standby is connected, and has all that there is."""
        eventually(lambda: self.sql(
            "SELECT 1 FROM pg_stat_replication WHERE state = 'streaming' "
            f"AND application_name = '{self.standby.name}' AND flush_lsn = pg_current_wal_flush_lsn()"),
            "the standby streams")

    def database(self):
        """A new database that onceproxy's role owns."""
        name = f"onceproxy_{next(self._numbers)}"
        self.sql(f"CREATE DATABASE {name} OWNER {ROLE}")
        return Database(self, name)

    def sql(self, statement, database="postgres", **how):
        return self.primary.sql(statement, database=database, **how)

    def value(self, statement, database="postgres", **how):
        return self.primary.value(statement, database=database, **how)

    def waiting(self):
        """How many commits wait for the standby."""
        return int(self.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"))

    def cancel_waits(self):
        """Cancels every wait for the standby: what waited is then on the primary alone."""
        return len(self.sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity "
                            "WHERE wait_event = 'SyncRep'"))

    def promote(self):
        """The primary is gone in an instant, and the standby takes its place."""
        self.primary.stop("immediate")
        self.link.cut()
        self.standby.resume()
        self.primary, self.standby = self.standby, None
        self.primary.control("promote")

    def replace_standby(self):
        """The server that is not the primary becomes its standby, with a new copy of the data."""
        (other,) = (server for server in self.servers if server is not self.primary)
        other.stop("immediate")
        self._follow(other)

    def close(self):
        for server in self.servers:
            server.stop("immediate")
        if self.link:
            self.link.close()
        shutil.rmtree(self.directory, ignore_errors=True)


class Database:
    """One database of a server."""

    def __init__(self, postgres, name):
        self.postgres, self.name = postgres, name

    def url(self, *addresses, **parameters):
        """For a configuration: whichever of the servers is the primary; or these addresses."""
        servers = self.postgres.servers[: 2 if self.postgres.synchronous else 1]
        hosts = ",".join(f"{host}:{port}"
                         for host, port in addresses or [server.address for server in servers])
        parameters = urllib.parse.urlencode(parameters, quote_via=urllib.parse.quote)
        return f"postgresql://{ROLE}@{hosts}/{self.name}" + (f"?{parameters}" if parameters else "")

    @property
    def durability(self):
        return "quorum" if self.postgres.synchronous else "primary"

    def store(self, url=None, **changes):
        """The section `store` of a configuration."""
        return {"postgres": {"url": url or self.url(), "durability": self.durability, **changes}}

    def sql(self, statement, **how):
        """As onceproxy's role."""
        return self.postgres.sql(statement, **{"database": self.name, "user": ROLE, **how})

    def value(self, statement, **how):
        return self.postgres.value(statement, **{"database": self.name, "user": ROLE, **how})

    def migrate(self, directory):
        """Brings the schema up to date, as an operator does before the first start."""
        config = pathlib.Path(directory) / "migrate.yaml"
        config.write_text(yaml.safe_dump(settings("127.0.0.1:1", directory, store=self.store())))
        result = run("store", "migrate", "-c", config)
        assert result.returncode == 0, result.stderr
        return self

    def disconnect(self):
        """Ends every connection of onceproxy's to it, as an operator may."""
        return len(self.postgres.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                                     f"WHERE datname = '{self.name}' AND usename = '{ROLE}'"))
