"""What the attacks share: one line a try, raw bytes, plain requests. Python's standard library alone."""

import argparse
import http.client
import json
import re
import socket
import sys
import time
import urllib.parse


class Tries:
    """Prints a line a try; `finish` ends with 1 where one broke in."""

    def __init__(self, title):
        self.title, self.count, self.broken = title, 0, []

    def check(self, name, is_held, told=""):
        self.count += 1
        if not is_held:
            self.broken.append(name)
        told = str(told).replace("\r", "\\r").replace("\n", "\\n")[:160]
        print(f"{'held  ' if is_held else 'BROKEN'}  {self.title}: {name}: {told}", flush=True)

    def finish(self):
        print(f"{self.title}: {self.count} tries, {len(self.broken)} broken" + "".join(f"\n  {name}" for name in self.broken))
        sys.exit(1 if self.broken else 0)


class Target:
    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.host, self.port = parts.hostname, parts.port or 80

    def connect(self, timeout=10):
        return socket.create_connection((self.host, self.port), timeout)

    def raw(self, data, timeout=6, half_close=False):
        """Everything that comes back for these bytes, until the other side closes or says nothing more."""
        with self.connect(timeout) as line:
            try:
                line.sendall(data)
                if half_close:
                    line.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            got = b""
            line.settimeout(timeout)
            try:
                while piece := line.recv(65536):
                    got += piece
            except OSError:
                pass
            return got

    def ask(self, method, path, body=None, token=None, headers=None, timeout=30):
        """Status, headers (small letters) and text."""
        sent = dict(headers or {})
        if token:
            sent["Authorization"] = f"Bearer {token}"
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        if body is not None and "Content-Type" not in sent:
            sent["Content-Type"] = "application/json"
        if isinstance(body, str):
            body = body.encode("utf-8", "surrogatepass")
        line = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        try:
            line.putrequest(method, path, skip_accept_encoding=True)
            for name, value in sent.items():
                line.putheader(name, value)
            if body is not None and not any(name.lower() == "content-length" for name in sent):
                line.putheader("Content-Length", str(len(body)))
            line.endheaders(body)
            answer = line.getresponse()
            headers = {}
            for name, value in answer.getheaders():
                headers[name.lower()] = headers[name.lower()] + "\n" + value if name.lower() in headers else value
            return answer.status, headers, answer.read().decode("utf-8", "replace")
        finally:
            line.close()

    def json(self, *args, **kwargs):
        status, _, text = self.ask(*args, **kwargs)
        try:
            return status, json.loads(text)
        except ValueError:
            return status, text


def statuses(got):
    """The status of each answer in raw bytes."""
    return [int(code) for code in re.findall(rb"HTTP/1\.[01] (\d{3}) ", got)]


def document(kind, attributes):
    return {"data": {"type": kind, "attributes": attributes}}


def arguments(about, *names):
    """`url` and the named values, each taken as `--name`."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("url", help="http://127.0.0.1:8080")
    for name in names:
        parser.add_argument(f"--{name}", required=True)
    return parser.parse_args()


def alive(target):
    """Whether the server still answers."""
    for _ in range(20):
        try:
            if target.ask("GET", "/health/live", timeout=5)[0] == 200:
                return True
        except OSError:
            pass
        time.sleep(0.25)
    return False
