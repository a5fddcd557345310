"""TLS towards nginx and HAProxy as upstreams."""

import contextlib
import shutil
import socket
import subprocess

import pytest

from harness import Client, eventually

HANDSHAKES = "onceproxy_tls_handshakes_total"

NGINX = """
daemon off; pid {directory}/nginx.pid; error_log {directory}/nginx.log;
worker_processes 1;
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {directory}; proxy_temp_path {directory};
  fastcgi_temp_path {directory}; uwsgi_temp_path {directory}; scgi_temp_path {directory};
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {certificate}; ssl_certificate_key {key};
    ssl_protocols {protocols};
    location /large {{ root {directory}; }}
    location / {{ return 200 "nginx\\n"; }}
  }}
}}
"""

HAPROXY = """
global
  log /dev/null local0
defaults
  mode http
  timeout client 10s
  timeout server 10s
  timeout connect 10s
frontend secure
  bind 127.0.0.1:{port} ssl crt {bundle} ssl-min-ver {protocols} alpn h2,http/1.1
  http-request return status 200 content-type text/plain string haproxy
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@contextlib.contextmanager
def running(command, port):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        def answers():
            assert process.poll() is None, f"{command[0]} ended"
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                return True

        eventually(answers, f"{command[0]} listens")
        yield
    finally:
        process.terminate()
        process.wait()


def program(name):
    found = shutil.which(name) or shutil.which(f"/usr/sbin/{name}")
    if not found:
        pytest.skip(f"{name} is not installed (deploy/setup.sh --tests)")
    return found


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize("peer", ["nginx", "haproxy"])
def test_a_real_server_is_spoken_to(stage, directory, authority, peer, version):
    certificate, key = authority.issue().write(directory, "peer")
    port = free_port()
    config = directory / f"{peer}.conf"
    if peer == "nginx":
        (directory / "large").mkdir()
        (directory / "large" / "file").write_bytes(b"x" * 1_000_000)
        config.write_text(NGINX.format(directory=directory, port=port, certificate=certificate,
                                       key=key, protocols=version))
        command = [program("nginx"), "-c", str(config), "-p", str(directory)]
    else:
        bundle = directory / "bundle.pem"
        bundle.write_text((directory / "peer.crt").read_text() + (directory / "peer.key").read_text())
        config.write_text(HAPROXY.format(port=port, bundle=bundle, protocols=version))
        command = [program("haproxy"), "-db", "-f", str(config)]
    with running(command, port):
        proxy = stage.proxy(f"localhost:{port}",
                            upstream={"tls": {"ca": authority.write_ca(directory)}})
        with Client(proxy.data) as client:
            for number in range(5):
                assert client.call("GET", f"/{number}").body.strip() == peer.encode()
            assert client.call(key="k", body=b"{}").decision == "forwarded"
            assert client.call(key="k", body=b"{}").decision == "replayed"
            if peer == "nginx":
                assert len(client.call("GET", "/large/file").body) == 1_000_000
        assert proxy.metrics().sum(HANDSHAKES, listener="upstream") == 1
