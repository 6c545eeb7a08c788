"""Ask the embedded model what it never saw, and say how much of it was right.

    python -m models.default.evaluate --url http://127.0.0.1:8484

asks a running appliance; without --url the network in this folder answers, in PyTorch, which also gives perplexity.
The exit code is 1 where less than 80 % of the questions about commands, which it is there for, are answered rightly;
what else it is asked, and its skills, are shown beside them.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import ProxyHandler, Request, build_opener

from models.default.held_out import Case, question_case, read_questions, read_topics, skill_cases
from models.default.scoring import is_right
from models.default.text.topic import Turn

PASS_RATIO = 0.8
WEIGHTS_FOLDER = Path(__file__).with_name("guide")
MAX_ANSWER_TOKENS = 160
NUM_AT_ONCE = 8
TIMEOUT_S = 120

Ask = Callable[[Sequence[Turn]], str]


def appliance(url: str, model: str, key: str = "") -> Ask:
    """Return a function that asks the appliance at `url` for the likeliest answer. It may be called from threads."""
    opener = build_opener(ProxyHandler({}))  # a proxy of the environment would not reach this machine's loopback
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})

    def ask(turns: Sequence[Turn]) -> str:
        messages = [{"role": role, "content": content} for role, content in turns]
        body = {"model": model, "messages": messages, "temperature": 0, "max_tokens": MAX_ANSWER_TOKENS}
        request = Request(f"{url.rstrip('/')}/v1/chat/completions", json.dumps(body).encode(), headers)  # noqa: S310 (the operator's own URL)
        with opener.open(request, timeout=TIMEOUT_S) as response:
            return str(json.load(response)["choices"][0]["message"]["content"] or "")

    return ask


def answers_of(ask: Ask, cases: Iterable[Case]) -> list[str]:
    """Return the answers in the order of the cases; several are asked at once."""
    with ThreadPoolExecutor(NUM_AT_ONCE) as pool:
        return list(pool.map(ask, (case.turns for case in cases)))


def report(cases: Sequence[Case], answers: Sequence[str]) -> tuple[float, str]:
    """Return which ratio is right, and a text: the score of each family, then every wrong answer."""
    totals, rights = Counter(case.family for case in cases), Counter[str]()
    wrong = []
    for case, answer in zip(cases, answers, strict=True):
        if is_right(case.expected, answer):
            rights[case.family] += 1
        else:
            wrong.append(f"{case.family}: {case.turns[-1][1]}\n    said     {answer}\n    expected {case.expected}")
    scores = [f"{family:14} {rights[family]:4} of {total:4}" for family, total in totals.items()]
    ratio = rights.total() / len(cases)
    overall = f"{'all':14} {rights.total():4} of {len(cases):4}  {ratio:.1%}"
    return ratio, "\n".join([*wrong, "", *scores, overall])


def command_ratio(cases: Sequence[Case], answers: Sequence[str]) -> float:
    """Return which ratio of the questions that a command answers is right: the gate that a new guide has to pass."""
    asked = [(case, answer) for case, answer in zip(cases, answers, strict=True) if case.family.startswith("commands")]
    return sum(is_right(case.expected, answer) for case, answer in asked) / len(asked)


def main() -> int:
    """Ask everything, print the reports, and return the exit code: whether enough questions were answered rightly."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="the appliance to ask (default: the network in this folder)")
    parser.add_argument("--model", default="guide", help="the model of that appliance (default: guide)")
    parser.add_argument("--key", default="", help="the API key of that appliance, if it has keys")
    parser.add_argument("--tasks", type=int, default=50, metavar="N", help="examples of each skill (default: 50)")
    parser.add_argument("--weights", type=Path, default=WEIGHTS_FOLDER, help="a folder, or a checkpoint of train.py")
    options = parser.parse_args()
    topics = read_topics()
    questions = [question_case(question, topics) for question in read_questions()]
    skills = skill_cases(options.tasks)
    if options.url:
        ask = appliance(options.url, options.model, options.key)
        answers = answers_of(ask, questions)
        text = report(questions, answers)[1]
        _, skills_text = report(skills, answers_of(ask, skills))
    else:
        from models.default.offline import load  # PyTorch is no dependency of the product

        network = load(options.weights)
        answers = network.answers(questions)
        text = report(questions, answers)[1]
        text += f"\nperplexity of the expected answers: {network.perplexity(questions):.3f} for each token"
        _, skills_text = report(skills, network.answers(skills))
    print(f"Skills\n{skills_text}\n\nQuestions\n{text}")
    return 0 if command_ratio(questions, answers) >= PASS_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
