"""Clients of a Service whose pods come and go: which pods it leads to, and the answers that the clients
get."""

import random
import threading
import time

from .client import BrokenOff, Client
from .message import request
from .wait import PATIENCE

CALLER = {"Authorization": "Bearer a"}


def order(key):
    """A request that the policy of the manifests covers."""
    return request(target="/orders", key=key, body=b"{}", headers=CALLER)


class Endpoints:
    """The pods behind a Service, as kube-proxy knows them: later than the kubelet does."""

    def __init__(self):
        self.lock = threading.Lock()
        self.pods = []

    def add(self, pod):
        with self.lock:
            self.pods.append(pod)

    def remove(self, pod):
        with self.lock:
            self.pods.remove(pod)

    def remove_late(self, pod, lag):
        timer = threading.Timer(lag, self.remove, (pod,))
        timer.daemon = True
        timer.start()

    def pick(self, generator):
        """An address that a new connection goes to; None while there is none."""
        with self.lock:
            return generator.choice(self.pods).data if self.pods else None


class Load:
    """Clients that send until they are told to stop, each request with a key of its own.

    Half of them make a connection for each request and never send twice: what they are answered is what
    the pod did. The others keep their connections, and send again with the same key where an idle one was
    closed. With `retries` all send again until they have an answer.
    """

    def __init__(self, endpoints, retries=False, clients=8):
        self.endpoints = endpoints
        self.retries = retries
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.answered = {}  # key: (status, decision)
        self.lost = []      # key and reason
        self.threads = [threading.Thread(target=self.run, args=(number,), daemon=True)
                        for number in range(clients)]
        for thread in self.threads:
            thread.start()

    def run(self, number):
        generator = random.Random(number)
        kept = number % 2 == 1
        client = None
        count = 0
        while not self.over.is_set():
            key = f"{number}-{count}"
            count += 1
            data = order(key)
            answer = reason = None
            for attempt in range(10_000 if self.retries else 2 if kept else 1):
                again = client is not None
                try:
                    if client is None:
                        address = self.endpoints.pick(generator)
                        if address is None:
                            raise ConnectionRefusedError("no endpoint")
                        client = Client(address)
                    answer = client.exchange(data)
                except (BrokenOff, OSError) as error:
                    reason = repr(error)
                    self.leave(client)
                    client = None
                    if not (self.retries or again):
                        break
                    time.sleep(0.02 if self.retries else 0)
                    continue
                if not kept or answer.closes:
                    self.leave(client)
                    client = None
                if answer.status == 201 or not self.retries:
                    break
                time.sleep(0.02)
            self.note(key, answer, reason)
            time.sleep(generator.random() * 0.05)
        self.leave(client)

    @staticmethod
    def leave(client):
        if client is not None:
            client.close()

    def note(self, key, answer, reason):
        with self.lock:
            if answer is not None and answer.status == 201:
                self.answered[key] = answer.decision
            else:
                self.lost.append((key, answer and (answer.status, answer.decision), reason))

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join(PATIENCE)
        return self
