"""What every client script shares: the job it is given, the prompts, and where its answers go.

    python benchmarks/peers/ask_NAME.py JOB.json

The job names the server, the file of prompts (one JSON string a line), the file of answers, a folder that outlives a kill,
and how many requests may be in flight. Nothing is imported here that a client would not import anyway.
"""

import json
import sys


class Job:
    """One task of a client: every prompt of a file is to be answered.

    url (str): The server's base_url, up to and with "/v1".
    in_flight (int): Requests in flight at a time.
    folder (str): For what the client keeps between two starts.
    again (bool): Whether an earlier start was killed.
    variant (str): A configuration of the client, by name; "" is its best one.
    """

    def __init__(self, path: str) -> None:
        with open(path, encoding="utf-8") as file:
            told = json.load(file)
        self.url: str = told["url"]
        self.in_flight: int = told["in_flight"]
        self.folder: str = told["folder"]
        self.again: bool = told["again"]
        self.variant: str = told["variant"]
        self._prompts: str = told["prompts"]
        self.answers_path: str = told["answers"]
        self._answers = open(self.answers_path, "a", encoding="utf-8")  # noqa: SIM115

    def prompts(self):  # noqa: ANN201
        """YIELDS (str): The prompts, one after the other."""
        with open(self._prompts, encoding="utf-8") as file:
            for line in file:
                yield json.loads(line)

    def answer(self, number: int, text: "str | None") -> None:
        """Write one answer.

        number (int): Of its prompt, from 0.
        text (str | None): None where there is no answer.
        """
        self._answers.write(json.dumps([number, text]) + "\n")
        self._answers.flush()

    def report(self, **facts: object) -> None:
        """Tell what only the client knows."""
        with open(f"{self.folder}/report.json", "w", encoding="utf-8") as file:
            json.dump(facts, file)


def job() -> Job:
    """RETURNS (Job): The one that the command line names."""
    return Job(sys.argv[1])
