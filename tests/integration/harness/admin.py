"""The admin port, as an operator's tools use it."""

import http.client
import json


class Admin:
    """`address` is (host, port). `context`: speaks TLS with it."""

    def __init__(self, address, token=None, context=None):
        self.address = address
        self.token = token
        self.context = context

    def call(self, method, target, body=None):
        """(status, body as JSON where it is JSON, else as text)."""
        if self.context:
            connection = http.client.HTTPSConnection(*self.address, timeout=60,
                                                     context=self.context)
        else:
            connection = http.client.HTTPConnection(*self.address, timeout=60)
        headers = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        data = None if body is None else json.dumps(body)
        try:
            connection.request(method, target, data, headers)
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        if response.headers.get_content_type() == "application/json":
            return response.status, json.loads(text)
        return response.status, text

    def get(self, target):
        status, body = self.call("GET", target)
        assert status == 200, (target, status, body)
        return body

    def post(self, target):
        return self.call("POST", target)
