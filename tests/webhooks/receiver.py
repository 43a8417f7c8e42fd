"""A receiver that believes what the reference verifier takes (standardwebhooks, PyPI). As receiver.mjs beside it."""

import datetime
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import standardwebhooks.webhooks as reference

settings: dict = {}
judged: list = []


class Moved(datetime.datetime):
    """The verifier asks the clock by itself."""

    @classmethod
    def now(cls, tz=None):
        return super().now(tz) + datetime.timedelta(seconds=settings.get("moved_secs", 0))


reference.datetime = Moved


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()

    def do_PUT(self):
        settings.clear()
        settings.update(json.loads(self.body()))
        self.answer(204)

    def do_GET(self):
        self.answer(200, json.dumps(judged).encode())

    def do_POST(self):
        body = self.body()
        if settings.get("alter"):
            body = body.replace("test_mode", "best_mode")
        refused = None
        try:
            reference.Webhook(settings["secret"]).verify(body, dict(self.headers))
        except Exception as error:
            refused = f"{type(error).__name__}: {error}"
        judged.append([self.headers["webhook-id"], refused])
        self.answer(204 if refused is None else 400)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
server.serve_forever()
