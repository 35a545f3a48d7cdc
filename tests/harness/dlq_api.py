"""The relay's HTTP API of the dead letters, as a client sees it."""

import http.client
import json
import re
import urllib.error
import urllib.parse
import urllib.request

from .wait import until

TOKENS = {"ann": "ann-0123456789-0123456789",
          "bob": "bob-0123456789-0123456789",
          "wall": "wall-0123456789-0123456789"}
READERS = ["wall"]


def token_file(folder, mode=0o600):
    path = folder / "tokens"
    path.write_text("# who may change letters\n" + "".join(
        f"{name}:{token}{':read' if name in READERS else ''}\n"
        for name, token in TOKENS.items()))
    path.chmod(mode)
    return path


class Api:
    """One relay's."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.port = until(self.find_port, 60, "the API listens")
        self.url = f"http://127.0.0.1:{self.port}"

    def find_port(self):
        self.daemon.assert_running()
        found = re.search(r"event=api\.listening port=(\d+)",
                          self.daemon.logged())
        return found and int(found.group(1))

    def ask(self, method, path, body=None, who=None, headers=None, raw=False):
        """(status, document)."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, method=method,
                                         data=body, headers=headers or {})
        if who is not None:
            request.add_header("Authorization",
                               "Bearer " + TOKENS.get(who, who))
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                self.headers, status = answer.headers, answer.status
                text = answer.read().decode()
        except urllib.error.HTTPError as refused:
            self.headers, status = refused.headers, refused.code
            text = refused.read().decode()
        return status, text if raw else json.loads(text)

    def status_of_length(self, path, length):
        """Of a body that is announced and not sent."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        link.putrequest("POST", "/api/v1/" + path)
        link.putheader("Authorization", "Bearer " + TOKENS["ann"])
        link.putheader("Content-Length", str(length))
        link.endheaders()
        status = link.getresponse().status
        link.close()
        return status

    def get(self, path, status=200, who=None, **query):
        if query:
            path += "?" + urllib.parse.urlencode(
                query, quote_via=urllib.parse.quote)
        got, doc = self.ask("GET", "/api/v1/" + path, who=who)
        assert got == status, doc
        return doc

    def post(self, path, body, status=200, who="ann"):
        got, doc = self.ask("POST", "/api/v1/" + path, body, who=who)
        assert got == status, doc
        return doc
