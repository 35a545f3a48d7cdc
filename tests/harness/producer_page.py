"""What docs/producer.md sends and shows: its lines that begin with `send`, and
the answers below each."""

import json
import re

from .cell import ROOT
from .wait import until

PAGE = (ROOT / "docs" / "producer.md").read_text()
LINE = re.compile(r"(?:^psql \"\$OPERATOR_URL\" -c \"(.*)\"\n)?"
                  r"^send (?:id=\$(\w+) )?(\S+) (\S+) "
                  r"(?:'(.*)'|\"(.*)\")(?:; (\w+)=\$id)?\n"
                  r"((?:# .*\n)+)", re.M)
ANSWER = re.compile(r'# (?:"type":"([a-z.]+)",)?("status":.*)')


class Sent:
    """One line: what an operator calls before it, the name of an earlier id
    that it is sent under, the command's fields (a $name stands for an earlier
    id), under which name its own id is kept, and the answers, each as its
    type and the members that the page shows."""

    def __init__(self, call, again, owner, type_, single, double, keep,
                 answers):
        self.call, self.again = call, again
        self.owner, self.type, self.keep = owner, type_, keep or again
        self.earlier = 0  # lines that were sent under the same id before
        self.text = single or double.replace('\\"', '"')
        self.answers = []
        for line in answers.splitlines():
            timer, shown = ANSWER.fullmatch(line).groups()
            self.answers.append((timer or type_,
                                 json.loads("{" + shown + "}")))

    def fields(self, ids):
        """ids: what each $name stands for."""
        text = re.sub(r"\$(\w+)", lambda m: ids[m.group(1)], self.text)
        fields = json.loads("{" + text + "}")
        return {"id": ids[self.again], **fields} if self.again else fields

    def answer(self, ledger, cmd, seconds=60):
        """The answer to this line; of an id that was sent before, the next."""
        return until(lambda: ledger.answers_of(cmd["id"])[self.earlier:],
                     seconds, f"answer of {cmd['id']}")[0]


def sends():
    """All of them, in order; a line in another form fails here."""
    found = [Sent(*groups) for groups in LINE.findall(PAGE)]
    told = len(re.findall(r"^send ", PAGE, re.M))
    assert len(found) == told >= 20, f"{len(found)} of {told} lines are read"
    for i, sent in enumerate(found):
        sent.earlier = sum(bool(sent.again) and other.keep == sent.again
                           for other in found[:i])
    return found


def shell():
    """The page's functions `new_id` and `send` as they stand there, and its
    lines that call `send`, in order."""
    block = re.search(r"## Send one\n\n```sh\n(.*?)```", PAGE, re.S)[1]
    functions = re.search(r"^new_id\(\) .*?^}$", block, re.M | re.S)[0]
    return functions, re.findall(r"^send .*$", PAGE, re.M)
