#!/usr/bin/env python3
"""Live mode: first passwords, second factors (guessed, replayed, passed by), and the second person (maker is checker, roles, twice at once).

    tools/attack/second.py http://127.0.0.1:8081 --maker ada@example.com:FIRST-PASSWORD --checker grace@example.com:FIRST-PASSWORD --key "$LIVE_KEY"

For two accounts of the role admin that were just made (`landfall staff add`). It changes their passwords and enrols second factors: nobody
uses them afterwards. It waits for codes, some minutes in all, and locks the checker at its end.
"""

import base64
import hashlib
import hmac
import re
import threading
import time
import urllib.parse

from common import Target, Tries, alive, arguments, document

given = arguments(__doc__, "maker", "checker", "key")
target, tries = Target(given.url), Tries("second")
SESSION = "__Host-landfall-staff"
JSON_API = {"Content-Type": "application/vnd.api+json"}


def code_of(secret, step):
    digest = hmac.new(base64.b32decode(secret + "=" * (-len(secret) % 8)), step.to_bytes(8, "big"), hashlib.sha1).digest()
    at = digest[-1] & 15
    return f"{(int.from_bytes(digest[at:at + 4], 'big') & 0x7fffffff) % 1_000_000:06}"


def step():
    return int(time.time()) // 30


class Browser:
    def __init__(self):
        self.cookies = {}

    def ask(self, method, path, form=None):
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())} if self.cookies else {}
        body = None
        if form is not None:
            body, headers["Content-Type"] = urllib.parse.urlencode(form), "application/x-www-form-urlencoded"
        status, got, text = target.ask(method, path, body, headers=headers)
        for line in got.get("set-cookie", "").split("\n"):
            if "=" in line:
                name, value = line.split(";")[0].split("=", 1)
                self.cookies[name] = value
                if not value:
                    del self.cookies[name]
        return status, got.get("location", ""), text

    def token(self, path):
        found = re.search(r'name="form_token" value="([^"]+)"', self.ask("GET", path)[2])
        return found[1] if found else ""

    def post(self, path, form, page=None):
        return self.ask("POST", path, {"form_token": self.token(page or path), **form})

    def sign_in(self, email, password):
        return self.post("/dashboard/sign-in", {"email": email, "password": password})


class Person:
    """Somebody who came in for the first time, and did what is asked for first."""

    def __init__(self, text):
        self.email, first = text.split(":", 1)
        self.password, self.browser = f"{first}-and-9-more", Browser()
        browser = self.browser
        browser.sign_in(self.email, first)
        shut = lambda: [browser.ask("GET", path)[:2] for path in ("/dashboard/live", "/dashboard/live/approvals", "/dashboard/live/requests")]
        tries.check(f"{self.email}: pages with a first password", all(where == "/dashboard/account/password" for _, where in shut()), shut()[0])
        status, _, page = browser.post("/dashboard/account/password", {"old": first, "new": first, "again": first})
        tries.check("  the same password again", status != 303, status)
        browser.post("/dashboard/account/password", {"old": first, "new": self.password, "again": self.password})
        tries.check("  pages without a second factor", all(where == "/dashboard/account/totp" for _, where in shut()), shut()[0])
        browser.post("/dashboard/account/totp/offer", {"password": self.password, "code": ""}, "/dashboard/account/totp")
        page = browser.ask("GET", "/dashboard/account/totp")[2]
        self.secret = re.search(r"<dt>Secret</dt><dd><code>([^<]+)", page)[1].replace(" ", "")
        tries.check("  a wrong code enrols nothing", browser.post("/dashboard/account/totp", {"code": "000000"})[0] != 200, "")
        self.used = step()
        page = browser.post("/dashboard/account/totp", {"code": code_of(self.secret, self.used)})[2]
        self.codes = re.findall(r"<li><code>([^<]+)", page)
        tries.check("  ten recovery codes", len(self.codes) == 10, len(self.codes))

    def fresh(self):
        while step() <= self.used:
            time.sleep(1)
        self.used = step()
        return code_of(self.secret, self.used)


maker, checker = Person(given.maker), Person(given.checker)

# The second step of signing in.
thief = Browser()
tries.check("a password alone leads to the code", thief.sign_in(maker.email, maker.password)[1] == "/dashboard/sign-in/code", "")
tries.check("  and opens no page", thief.ask("GET", "/dashboard/live")[1] == "/dashboard/sign-in", thief.ask("GET", "/dashboard/live")[:2])
tries.check("  nor changes anything", thief.ask("POST", "/dashboard/account/password", {"form_token": thief.token("/dashboard/sign-in/code"), "old": maker.password, "new": "x", "again": "x"})[0] in (303, 403), "")
status, _, _ = thief.post("/dashboard/sign-in/code", {"code": code_of(maker.secret, maker.used)})
tries.check("the code that was used to enrol", status == 403, status)
for name, code in [("empty", ""), ("of the hour before", code_of(maker.secret, step() - 120)), ("of the next hour", code_of(maker.secret, step() + 120)), ("with digits of full width", "".join(chr(0xFF10 + int(c)) for c in code_of(maker.secret, step() + 1))), ("SQL", "' OR 1=1 --")]:
    status, _, _ = thief.post("/dashboard/sign-in/code", {"code": code})
    tries.check(f"a code that is {name}", status == 403, status)
code = maker.fresh()
tokens = []
crowd = [Browser() for _ in range(6)]
for one in crowd:
    one.sign_in(maker.email, maker.password)
    tokens.append(one.token("/dashboard/sign-in/code"))
answers = [None] * len(crowd)


def enter(n):
    answers[n] = crowd[n].ask("POST", "/dashboard/sign-in/code", {"form_token": tokens[n], "code": code})[:2]


threads = [threading.Thread(target=enter, args=(n,)) for n in range(len(crowd))]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
entered = [n for n, (status, where) in enumerate(answers) if (status, where) == (303, "/dashboard")]
tries.check("one code in six browsers at once", len(entered) == 1, answers)
used = Browser()
used.sign_in(maker.email, maker.password)
first = used.post("/dashboard/sign-in/code", {"code": maker.codes[0]})[0]
again = Browser()
again.sign_in(maker.email, maker.password)
second = again.post("/dashboard/sign-in/code", {"code": maker.codes[0]})[0]
tries.check("a recovery code twice", (first, second) == (303, 403), (first, second))
maker.browser = used

# The second person.
wish = document("api-key", {"name": "asked", "scopes": ["keys:read"], "expires_at": None})
status, answer = target.json("POST", "/v1/api-keys", wish, given.key, JSON_API)
approval, secret = answer.get("meta", {}).get("approval", {}).get("id"), answer.get("meta", {}).get("approval", {}).get("secret", "")
tries.check("a key has to wait", status == 202 and approval, status)
tries.check("  and opens nothing before", target.ask("GET", "/v1/api-keys", token=secret)[0] == 401, "")
status, answer = target.json("GET", f"/v1/approvals/{approval}", token=given.key)
tries.check("  whoever asked is told that it waits", status == 200 and answer["data"]["attributes"]["status"] == "open", status)
page = f"/dashboard/live/approvals/{approval}"
decide = lambda who, decision, reason="looked at it": who.browser.post(page + "/decide", {"decision": decision, "reason": reason}, page)
tries.check("an approval by another mode's address", maker.browser.ask("GET", page.replace("live", "test"))[0] == 404, "")
tries.check("an approval without a reason", decide(checker, "approve", " ")[0] == 422, "")
tries.check("an approval with another form's token", checker.browser.ask("POST", page + "/decide", {"form_token": maker.browser.token(page), "decision": "approve", "reason": "stolen"})[0] == 403, "")
token = checker.browser.token(page)
done = [None] * 8


def approve(n):
    done[n] = checker.browser.ask("POST", page + "/decide", {"form_token": token, "decision": "approve", "reason": "looked at it"})[0]


threads = [threading.Thread(target=approve, args=(n,)) for n in range(len(done))]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
tries.check("approved eight times at once", done.count(303) == 1 and set(done) <= {303, 409}, done)
tries.check("  and the key is one", target.ask("GET", "/v1/api-keys", token=secret)[0] == 200, "")
listed = target.json("GET", "/v1/api-keys", token=given.key)[1]["data"]
tries.check("  made once", sum(one["attributes"]["name"] == "asked" for one in listed) == 1, "")

# Guessing a second factor to its end.
guesses = []
for turn in range(3):
    guesser = Browser()
    guesser.sign_in(checker.email, checker.password)
    for n in range(5):
        guesses.append(guesser.post("/dashboard/sign-in/code", {"code": f"{turn}{n}9999"})[0])
late = Browser()
where = late.sign_in(checker.email, checker.password)
right = late.post("/dashboard/sign-in/code", {"code": checker.fresh()})
tries.check("after fifteen codes the right one opens nothing", right[1] != "/dashboard", f"{guesses} then {where[:2]} {right[:2]}")
tries.check("it still answers", alive(target))
tries.finish()
