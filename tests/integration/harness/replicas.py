"""Several processes of the program on one database, many clients that send requests to all of them, and a
service that records what it was asked to do."""

import concurrent.futures
import contextlib
import itertools
import random
import threading
import time

from .client import BrokenOff, Client
from .process import StartFailed
from .wait import PATIENCE


class Service:
    """Executes and records it. Most of it goes well; `moods` are the other ways, one in forty each:
    it breaks off, it answers half, it refuses, its answer is ambiguous, it works for a while."""

    MOODS = 40

    def __init__(self, history, moods=True, work=0.0):
        self.history = history
        self.moods = moods
        self.work = work  # seconds at most, for each execution

    def __call__(self, exchange):
        execution = self.history.execute(exchange.request, exchange.request.body.decode())
        generator = random.Random(execution.operation)
        mood = generator.randrange(self.MOODS) if self.moods else self.MOODS
        if mood == 0:
            execution.breaks_off()
            exchange.connection.reset()
            return
        if mood == 1:
            exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
            execution.breaks_off()
            exchange.connection.close()
            return
        if self.work:
            threading.Event().wait(generator.random() * self.work)
        status = {2: 503, 3: 502, 4: 201, 5: 404}.get(mood, 200)
        body = b"%s %d " % (execution.operation.encode(), exchange.execution)
        body += b"x" * int(generator.expovariate(1 / 100))
        execution.answers(status, body)
        exchange.answer(status, body, chunked=mood == 6)


class Replicas:
    """`count` processes in front of one service, with one configuration."""

    def __init__(self, stage, history, service, policies, store, count=3, **changes):
        self.history = history
        self.upstream = stage.upstream(service)
        self.proxies = [stage.proxy(self.upstream, policies, store=store, workers=1, **changes)
                        for _ in range(count)]
        self.lives = [history.started() for _ in self.proxies]
        self.up = [True for _ in self.proxies]  # and its life is the one in `lives`

    def __len__(self):
        return len(self.proxies)

    def __iter__(self):
        return iter(self.proxies)

    def kill(self, number):
        """kill -9, at this moment."""
        self.up[number] = False
        self.history.killed(self.lives[number])
        self.proxies[number].kill9()

    def revive(self, number):
        """A new process in its place. While the database is away there is none: then it tries again,
        as a supervisor does."""
        proxy = self.proxies[number]
        deadline = time.monotonic() + PATIENCE
        while not proxy.running:
            assert time.monotonic() < deadline
            with contextlib.suppress(StartFailed):
                proxy.restart()
        self.lives[number] = self.history.started()
        self.up[number] = True


class Crowd:
    """Clients on connections of their own, each of which asks one process after the other, until
    stop(). A key is a new one, one that others are asking for now, or one of any time."""

    def __init__(self, replicas, history, seed, clients=64, fresh=0.4, pause=0.0):
        self.replicas, self.history, self.seed = replicas, history, seed
        self.fresh, self.pause = fresh, pause
        self.keys = []
        self.done = self.answered = 0
        self.changed = threading.Condition()
        self.over = False
        self.threads = [threading.Thread(target=self._run, args=(n,)) for n in range(clients)]
        for thread in self.threads:
            thread.start()

    def _run(self, number):
        generator = random.Random(f"{self.seed}-{number}")
        client = None
        while not self.over:
            if client is None or generator.random() < 0.2:
                if client:
                    client.close()
                client, life = self._connect(generator)
                continue
            try:
                ask(client, self.history, self._key(generator, number), life, self._note)
            except (BrokenOff, OSError):
                client.close()
                client = None
            if self.pause:
                threading.Event().wait(self.pause)
        if client:
            client.close()

    def _connect(self, generator):
        at = generator.randrange(len(self.replicas))
        life = self.replicas.lives[at]
        try:
            if self.replicas.up[at]:
                return Client(self.replicas.proxies[at].data), life
        except (OSError, KeyError):
            pass  # it has just been killed
        threading.Event().wait(0.01)
        return None, life

    def _key(self, generator, number):
        way = generator.random()
        with self.changed:
            if way < self.fresh or not self.keys:
                self.keys.append(f"{self.seed}-{number}-{len(self.keys)}")
                return self.keys[-1]
            return generator.choice(self.keys[-16:] if way < 0.9 else self.keys)

    def _note(self, operation):
        with self.changed:
            self.done += 1
            self.answered += operation.outcome == "ok"
            self.changed.notify_all()

    def wait_for_answers(self, count):
        """Until the service's answers have come so many times more."""
        with self.changed:
            goal = self.answered + count
            assert self.changed.wait_for(lambda: self.answered >= goal, 2 * PATIENCE), (
                f"{self.answered} of {goal} answers, {self.done} requests")

    def stop(self):
        self.over = True
        for thread in self.threads:
            thread.join(2 * PATIENCE)
            assert not thread.is_alive(), "a client still waits for an answer"


def ask(client, history, key, life, note=lambda operation: None):
    """One request, and what came of it, in the history."""
    operation = history.invoke(key, key, life)
    try:
        response = client.call(key=key, body=key, headers={"X-Request-Id": operation.id})
    except (BrokenOff, OSError):
        operation.lost()
        note(operation)
        raise
    operation.took(response)
    note(operation)
    return operation


def ask_all(replicas, history, keys, clients=12):
    """Every key once more, by several clients at once, which share the processes; what came of it."""

    def ask_some(first):
        at = first % len(replicas)
        with Client(replicas.proxies[at].data) as client:
            return [ask(client, history, key, replicas.lives[at]) for key in keys[first::clients]]

    with concurrent.futures.ThreadPoolExecutor(clients) as threads:
        return list(itertools.chain(*threads.map(ask_some, range(clients))))
