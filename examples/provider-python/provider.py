#!/usr/bin/env python3
"""A provider for partnerctl: a system of one's own that holds customers and what they have.

partnerctl starts this program and asks it in JSON lines on stdin; docs/provider-protocol.md is the
protocol. Python 3.8 or later, nothing but the standard library.

To make your own: keep `answer`, `serve` and the rules in the comments; let `Outside` call your system
instead of a database. If your system cannot remember request keys for ever, say "none" in `hello`.
"""

import json
import os
import sqlite3
import sys
import time
from contextlib import contextmanager
from datetime import datetime, timezone

PROTOCOL = "partnerctl.dev/provider/v1"
KINDS = ["Customer", "Subscription", "Budget", "RoleAssignment", "ReservationPermission"]
# What only the outside decides: partnerctl reads it and never sets it.
OWN_FIELDS = {"Customer": ["relationship"], "Subscription": ["purchasedAt"]}
PAGE = 100
FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "outside.db")

TABLES = """
CREATE TABLE IF NOT EXISTS things (
    kind TEXT, id TEXT, name TEXT, spec TEXT, request_key TEXT, PRIMARY KEY (kind, id));
CREATE TABLE IF NOT EXISTS requests (
    number INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT UNIQUE, action TEXT, kind TEXT, id TEXT,
    name TEXT);
CREATE TABLE IF NOT EXISTS state (revision INTEGER);
INSERT INTO state SELECT 0 WHERE NOT EXISTS (SELECT * FROM state);
"""


class Failure(Exception):
    """A typed error. Every code but `unknown` promises that nothing was done."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code, self.message = code, message


class Outside:
    """The state. It lives in a file, since a request key must outlive every crash."""

    def __init__(self):
        # Another copy of this program may be running: that of a partnerctl that was killed, or that
        # of a colleague's. The database makes them wait for each other.
        self.db = sqlite3.connect(FILE, timeout=20, isolation_level=None)
        self.db.execute("PRAGMA synchronous = FULL")
        with self.transaction():
            for statement in TABLES.split(";"):
                self.db.execute(statement)

    @contextmanager
    def transaction(self):
        """All or nothing, on the disk before it is answered."""
        try:
            self.db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise Failure("transient", "the database is busy: %s" % error)
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        # Should this fail, nobody knows: the program ends, and partnerctl looks what became of it.
        self.db.execute("COMMIT")

    def things(self, where="1 = 1", values=()):
        rows = self.db.execute(
            "SELECT kind, id, name, spec, request_key FROM things WHERE %s ORDER BY kind, id" % where,
            values,
        )
        keys = ["kind", "externalId", "name", "spec", "requestKey"]
        things = [dict(zip(keys, row)) for row in rows]
        for thing in things:
            thing["spec"] = json.loads(thing["spec"])
        return things

    def thing(self, kind, external_id):
        found = self.things("kind = ? AND id = ?", (kind, external_id))
        return found[0] if found else None

    def put(self, kind, external_id, name, spec, request_key):
        row = (kind, external_id, name, json.dumps(spec), request_key)
        self.db.execute("INSERT OR REPLACE INTO things VALUES (?, ?, ?, ?, ?)", row)
        self.changed()

    def remove(self, kind, external_id):
        self.db.execute("DELETE FROM things WHERE kind = ? AND id = ?", (kind, external_id))
        self.changed()

    def changed(self):
        """Every change, by whomever, makes another snapshot."""
        self.db.execute("UPDATE state SET revision = revision + 1")

    def hello(self, _):
        return {"protocol": PROTOCOL, "name": "example", "requestKeys": "durable", "kinds": KINDS}

    def observe(self, params):
        """One page. Snapshot, total and items are of the same moment: one transaction."""
        start = int(params.get("page") or 0)
        with self.transaction():
            (revision,) = self.db.execute("SELECT revision FROM state").fetchone()
            everything = self.things()
        end = start + PAGE
        return {
            "snapshot": str(revision),
            "total": len(everything),
            "items": everything[start:end],
            "next": str(end) if end < len(everything) else None,
        }

    def perform(self, params):
        """One effect, and the key that remembers it, in the same transaction."""
        kind, key, action = params["kind"], params["requestKey"], params["action"]
        if kind not in KINDS:
            raise Failure("refused", "there are no things of the kind %s here" % kind)
        with self.transaction():
            known = self.request(key)
            if known:
                # Asked before, and done: say how it is now, and do nothing.
                return {"thing": self.thing(*known)}
            there = params["externalId"] and self.thing(kind, params["externalId"])
            if action == "update" and not there:
                raise Failure("conflict", "%s is not there any more" % params["externalId"])
            external_id = params["externalId"] or self.new_id(kind)
            self.db.execute(
                "INSERT INTO requests (key, action, kind, id, name) VALUES (?, ?, ?, ?, ?)",
                (key, action, kind, external_id, params["name"]),
            )
            if action == "create":
                self.put(kind, external_id, params["name"], born(kind, params["after"]), key)
            elif action == "update":
                spec = dict(params["after"])
                spec.update((f, there["spec"][f]) for f in OWN_FIELDS.get(kind, []) if f in there["spec"])
                self.put(kind, external_id, there["name"], spec, there["requestKey"])
            else:
                # Something that is not there is taken away already.
                self.remove(kind, external_id)
            return {"thing": self.thing(kind, external_id)}

    def new_id(self, kind):
        """An id that no other thing had before or will ever have: requests are never forgotten."""
        made = "SELECT COUNT(*) FROM requests WHERE kind = ? AND action = 'create'"
        (count,) = self.db.execute(made, (kind,)).fetchone()
        return "%s-%d" % (kind.lower(), count + 1)

    def request(self, key):
        """The thing a request was about, if it was done."""
        return self.db.execute("SELECT kind, id FROM requests WHERE key = ?", (key,)).fetchone()

    def lookup(self, params):
        """What became of a request; or what is there. The latter may give back more than fits."""
        if params["by"] == "requestKey":
            known = self.request(params["requestKey"])
            if not known:
                return {"outcome": "notPerformed", "thing": None}
            return {"outcome": "performed", "thing": self.thing(*known)}
        if params["by"] == "identity":
            if params.get("externalId"):
                thing = self.thing(params["kind"], params["externalId"])
                return {"items": [thing] if thing else []}
            return {"items": self.things("kind = ?", (params["kind"],))}
        raise Failure("unsupported", "there is no lookup by %s" % params["by"])


def born(kind, after):
    """Something new, with what only the outside knows of it."""
    spec = dict(after)
    if kind == "Customer":
        # An invited customer has to accept: `portal.py set Customer ID relationship Granted`.
        spec["relationship"] = "Pending" if spec.get("onboarding") == "Invite" else "Granted"
    if kind == "Subscription":
        spec["purchasedAt"] = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return spec


def answer(outside, request):
    """The answer to one request: a result or a typed error, with the id of the request."""
    methods = {
        "hello": outside.hello,
        "observe": outside.observe,
        "perform": outside.perform,
        "lookup": outside.lookup,
    }
    try:
        if request["method"] not in methods:
            raise Failure("unsupported", "there is no method %s" % request["method"])
        result = methods[request["method"]](request["params"])
        if request["method"] == "perform":
            pause()
        return {"id": request["id"], "result": result}
    except Failure as failure:
        return {"id": request["id"], "error": {"code": failure.code, "message": failure.message}}


def pause():
    """For the tour: time to pull the plug, after the effect and before its answer."""
    until, parent = time.monotonic() + float(os.environ.get("ANSWER_DELAY", "0")), os.getppid()
    while time.monotonic() < until and os.getppid() == parent:
        time.sleep(0.05)


def serve(outside):
    """Answers line by line until stdin ends. stdout is for answers alone; stderr is free."""
    for line in sys.stdin.buffer:
        try:
            print(json.dumps(answer(outside, json.loads(line))), flush=True)
        except BrokenPipeError:
            # Nobody listens any more. What was done is on the disk.
            os._exit(0)


if __name__ == "__main__":
    serve(Outside())
