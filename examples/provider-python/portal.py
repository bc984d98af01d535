#!/usr/bin/env python3
"""What people do in the portal of that system, behind partnerctl's back.

    portal.py show                         print what there is
    portal.py effects                      print everything that was ever done on request
    portal.py set KIND ID FIELD VALUE      change something
    portal.py remove KIND ID               take something away
"""

import json
import sys

from provider import Outside


def change(outside, kind, external_id, field=None, value=None):
    """Sets one field, or without a field takes the whole thing away."""
    with outside.transaction():
        thing = outside.thing(kind, external_id)
        if not thing:
            sys.exit("there is no %s %s" % (kind, external_id))
        if field is None:
            outside.remove(kind, external_id)
            return
        spec = at = thing["spec"]
        *path, last = field.split(".")
        for part in path:
            at = at[part]
        # A text stays a text: amounts are texts, or they would pass through a float.
        at[last] = value if isinstance(at.get(last, ""), str) else json.loads(value)
        outside.put(kind, external_id, thing["name"], spec, thing["requestKey"])


def main(words):
    outside = Outside()
    if words == ["show"]:
        for thing in outside.things():
            spec = json.dumps(thing["spec"], sort_keys=True)
            print("%s %s %s" % (thing["kind"], thing["externalId"], spec))
    elif words == ["effects"]:
        done = "SELECT action, kind, id, name FROM requests ORDER BY number"
        for row in outside.db.execute(done):
            print("%s %s %s (%s)" % row)
    elif (words[:1], len(words)) in [(["set"], 5), (["remove"], 3)]:
        change(outside, *words[1:])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
