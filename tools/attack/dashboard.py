#!/usr/bin/env python3
"""The dashboard: forms of other sites, fixed and stolen sessions, stored markup, redirects, frames, caches, roles, guessing and locking.

    tools/attack/dashboard.py http://127.0.0.1:8080 --email admin@localhost --password "$PASSWORD" --key "$KEY"

The account is locked for 30 minutes afterwards, for strangers: it is guessed at to the end. Not for an installation that is in use.
"""

import http.cookies
import re
import time
import urllib.parse

from common import Target, Tries, alive, arguments

given = arguments(__doc__, "email", "password", "key")
target, tries = Target(given.url), Tries("dashboard")
HOME = "/dashboard/test"
SESSION, SIGN_IN, DEVICE = "__Host-landfall-staff", "__Host-landfall-sign-in", "__Host-landfall-device"


class Browser:
    def __init__(self):
        self.cookies, self.attributes = {}, {}

    def ask(self, method, path, form=None, headers=None):
        sent = dict(headers or {})
        if self.cookies and "Cookie" not in sent:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        body = None
        if form is not None:
            body, sent["Content-Type"] = urllib.parse.urlencode(form), "application/x-www-form-urlencoded"
        status, headers, text = target.ask(method, path, body, headers=sent)
        for line in headers.get("set-cookie", "").split("\n"):
            if "=" in line:
                name, value = line.split(";")[0].split("=", 1)
                self.attributes[name] = line
                self.cookies[name] = value
                if not value:
                    del self.cookies[name]
        return status, headers, text

    def token(self, path):
        found = re.search(r'name="form_token" value="([^"]+)"', self.ask("GET", path)[2])
        return found[1] if found else ""

    def sign_in(self, password, email=given.email, more=None):
        form = {"form_token": self.token("/dashboard/sign-in"), "email": email, "password": password, **(more or {})}
        return self.ask("POST", "/dashboard/sign-in", form)


# Signing in, and what is made of it.
anyone = Browser()
status, headers, _ = anyone.ask("GET", HOME)
tries.check("a page without a session", status == 303 and headers["location"] == "/dashboard/sign-in", f"{status} {headers.get('location')}")
for extra in ["?next=https://evil.example", "?return_to=//evil.example", "?redirect=javascript:alert(1)"]:
    browser = Browser()
    token = browser.token("/dashboard/sign-in" + extra)
    status, headers, _ = browser.ask("POST", "/dashboard/sign-in" + extra, {"form_token": token, "email": given.email, "password": given.password})
    tries.check(f"a redirect to elsewhere by {extra}", status == 303 and headers["location"] == "/dashboard", f"{status} {headers.get('location')}")
staff = Browser()
staff.cookies[SESSION] = fixed = "A" * 43
status, _, _ = staff.sign_in(given.password)
tries.check("a session that was fixed before", status == 303 and staff.cookies.get(SESSION, fixed) != fixed, status)
status, headers, _ = Browser().ask("GET", HOME, headers={"Cookie": f"{SESSION}={fixed}"})
tries.check("  and the fixed one opens nothing", status == 303, status)
line = staff.attributes[SESSION]
tries.check("the cookie's attributes", all(word in line for word in ("Secure", "HttpOnly", "SameSite=Strict", "Path=/")) and "Domain" not in line, line.split(";", 1)[1])
for name, cookie in [
    ("without its prefix", f"landfall-staff={staff.cookies[SESSION]}"), ("a tossed one first", f"{SESSION}=x; {SESSION}={staff.cookies[SESSION]}x"),
    ("its form token as a session", f"{SESSION}={staff.token('/dashboard/account')}"), ("10 kB of it", f"{SESSION}=" + "a" * 10_000), ("with a NUL", f"{SESSION}=a%00"),
]:
    status, _, _ = Browser().ask("GET", HOME, headers={"Cookie": cookie})
    tries.check(f"a session {name}", status in (303, 400, 431), status)

# Headers of every page.
status, headers, page = staff.ask("GET", HOME)
policy = headers.get("content-security-policy", "")
tries.check("the page is shown", status == 200 and "form_token" in page, status)
tries.check("no frame, no script, no cache", "frame-ancestors 'none'" in policy and "default-src 'none'" in policy and "script-src" not in policy and "no-store" in headers["cache-control"]
            and headers["x-frame-options"] == "DENY" and headers["x-content-type-options"] == "nosniff", policy)
tries.check("no address leaks by referrer", headers.get("referrer-policy") in ("same-origin", "no-referrer"), headers.get("referrer-policy"))
tries.check("no script in it", not re.search(r"<script|javascript:|\son[a-z]+=", page), "")

# Forms of other sites.
for path in ["/dashboard/sign-out", "/dashboard/account/password", "/dashboard/account/totp"]:
    for name, form in [("none", {}), ("empty", {"form_token": ""}), ("made up", {"form_token": "B" * 43}), ("another browser's", {"form_token": Browser().token("/dashboard/sign-in")})]:
        status, _, _ = staff.ask("POST", path, form)
        tries.check(f"{path} with a form token that is {name}", status in (400, 403, 404, 405), status)
status, _, _ = staff.ask("POST", "/dashboard/sign-out", None, {"Content-Type": "text/plain"})
tries.check("a form as text/plain", status in (400, 403, 415), status)
for path in ["/dashboard/sign-out", "/dashboard/account/password"]:
    token = staff.token("/dashboard/account")
    status, _, _ = staff.ask("GET", f"{path}?form_token={token}")
    is_in = staff.ask("GET", HOME)[0] == 200
    tries.check(f"GET {path} changes nothing", is_in, status)
status, _, _ = Browser().ask("POST", "/dashboard/sign-in", {"form_token": "", "email": given.email, "password": given.password})
tries.check("somebody signs a victim in", status == 403, status)

# What partners wrote stays text. Run tools/attack/input.py first: it leaves markup behind.
seen = ""
for path in [HOME, "/dashboard/test/requests", "/dashboard/test/offers", "/dashboard/test/moderation", "/dashboard/test/approvals", "/dashboard/test/requests?group=open"]:
    status, _, page = staff.ask("GET", path)
    seen += page
    tries.check(f"markup on {path}", "<script" not in page and "<img src=x" not in page, f"{status}, {len(page)} bytes")
for link in sorted(set(re.findall(r'href="(/dashboard/test/requests/[^"]+)"', seen)))[:40]:
    status, _, page = staff.ask("GET", link)
    broken = "<script" in page or "<img src=x" in page or "onerror=alert(1)>" in page
    if broken or status != 200:
        tries.check(f"markup on {link}", False, status)
for text in ["<script>alert(1)</script>", "\"><svg onload=alert(1)>", "' OR 1=1 --", "4111111111111111", "%00", "\u202e", "9" * 5000]:
    quoted = urllib.parse.quote(text)
    for path in [f"/dashboard/test/requests?q={quoted}", f"/dashboard/test/offers?q={quoted}", f"/dashboard/test/offers?after={quoted}", f"/dashboard/{quoted}", f"/dashboard/test/offers/demo/{quoted}"]:
        status, _, page = staff.ask("GET", path)
        tries.check(f"{path[:60]}", status < 500 and "<script>alert" not in page and "<svg onload" not in page and "4111111111111111" not in page, status)
status, _, page = Browser().sign_in("x" * 12, "<script>alert(1)</script>@x")
tries.check("markup as an address to sign in with", "<script>alert" not in page and status == 403, status)
status, _, page = Browser().sign_in("x" * 200_000)
tries.check("a password of 200 kB", status in (400, 403, 413), status)

# Roles and ids of others: pages of live mode aren't served here, another partner has no such offer.
for path in ["/dashboard/live", "/dashboard/live/requests", "/dashboard/test/offers/acme/1", "/dashboard/test/requests/acme/porq_00000000000070008000000000000000", "/dashboard/TEST", "/dashboard/test/../live", "/dashboard/test%2f..%2flive"]:
    status, _, _ = staff.ask("GET", path)
    tries.check(path, status in (404, 400, 303), status)
status, _, _ = target.ask("GET", HOME, token=given.key)
tries.check("a partner's key on a page", status == 303, status)
status, _, _ = target.ask("GET", "/v1/api-keys", headers={"Cookie": f"{SESSION}={staff.cookies[SESSION]}"})
tries.check("a session on the partners' API", status == 401, status)

# After signing out nothing is left.
copied = staff.cookies[SESSION]
status, headers, _ = staff.ask("POST", "/dashboard/sign-out", {"form_token": staff.token("/dashboard/account")})
tries.check("signing out", status == 303, status)
tries.check("a copied session afterwards", Browser().ask("GET", HOME, headers={"Cookie": f"{SESSION}={copied}"})[0] == 303, "")

# Guessing: counted, locked, alike for every account and in time. The browser that is known goes on.
known = {DEVICE: staff.cookies.get(DEVICE, "")}
took = {}
for name, email in [("an account", given.email), ("no account", "nobody@example.com"), ("no address", "nobody")]:
    began = time.monotonic()
    status, _, page = Browser().sign_in("wrong password 1", email)
    took[name] = (status, len(page.replace(email, "")), round(time.monotonic() - began, 2))
tries.check("what is refused is refused alike", len({(status, length) for status, length, _ in took.values()}) == 1 and max(t for *_, t in took.values()) - min(t for *_, t in took.values()) < 0.25, took)
codes = [Browser().sign_in(f"wrong password {n}")[0] for n in range(14)]
right = Browser().sign_in(given.password)[0]
tries.check("after 15 guesses the right password opens nothing", right in (403, 429), f"{codes} then {right}")
codes = [target.ask("POST", "/dashboard/sign-in", "email=a", headers={"Content-Type": "application/x-www-form-urlencoded", "X-Forwarded-For": f"192.0.2.{n}"})[0] for n in range(5)]
tries.check("forged addresses", set(codes) <= {400, 403, 429}, codes)
friend = Browser()
friend.cookies.update(known)
status = friend.sign_in(given.password)[0]
tries.check("  and the owner's own browser goes on", status in (303, 429), status)
tries.check("it still answers", alive(target))
tries.finish()
