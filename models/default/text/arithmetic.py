"""Small sums: addition, subtraction, multiplication, and division without remainder, asked in English and Chinese."""

from random import Random

from .topic import Turn

_ENGLISH: tuple[str, ...] = (
    *(
        "{a} {s} {b}",
        "{a} {s} {b}",
        "{a}{s}{b}",
        "{a} {s} {b} =",
        "{a}{s}{b}=?",
        "{a} {s} {b} = ?",
        "what is {a} {s} {b}",
    ),
    *(
        "what's {a} {s} {b}?",
        "What is {a} {w} {b}?",
        "whats {a} {w} {b}",
        "calculate {a} {s} {b}",
        "Compute {a} {s} {b}.",
    ),
    *("How much is {a} {w} {b}?", "how much is {a} {s} {b}", "{a} {w} {b}", "{a} {w} {b}?", "{a} {w} {b} is?"),
    *(
        "can you calculate {a} {s} {b}?",
        "Please work out {a} {w} {b}.",
        "what does {a} {w} {b} make?",
        "solve {a} {s} {b}",
    ),
    *(
        "tell me what {a} {s} {b} is",
        "the result of {a} {s} {b}",
        "Give me {a} {w} {b}",
        "I need {a} {w} {b}",
        "add up: {a} {s} {b}",
    ),
    *("Can you do {a} {w} {b} for me?", "quick: {a} {s} {b}", "{a} {w} {b}, please", "What do I get for {a} {s} {b}?"),
    *("what is the sum {a} {s} {b}?", "find {a} {s} {b}", "Is {a} {w} {b} easy? What is it?", "{a} {w} {b} gives?"),
    *(
        "hello, what is {a} {w} {b}",
        "now {a} {s} {b}",
        "and {a} {w} {b}?",
        "let us try {a} {s} {b}",
        "answer: {a}{s}{b}",
    ),
    *("Could you tell me {a} {w} {b}?", "I forgot what {a} {w} {b} is", "numbers: {a} {s} {b}", "{a} {w} {b} makes?"),
    *("my homework says {a} {s} {b}", "a sum: {a} {s} {b}", "in numbers, {a} {w} {b}?", "how many are {a} {w} {b}?"),
)
_ENGLISH_HELD_OUT: tuple[str, ...] = (
    *("What is the value of {a} {s} {b}?", "Do you know what {a} {w} {b} equals?", "evaluate {a} {s} {b}"),
    *("Math question: {a} {w} {b}?", "So {a} {s} {b} makes how much?"),
)
_CHINESE: tuple[str, ...] = (
    *(
        "{a} {s} {b}",
        "{a}{s}{b}",
        "{a}{s}{b}=?",
        "{a}{s}{b}等于多少？",
        "{a} {s} {b} 等于几",
        "{a}{w}{b}等于多少",
        "{a}{w}{b}是多少？",
    ),
    *(
        "{a} {w} {b} 等于多少？",
        "计算 {a} {s} {b}",
        "算一下{a}{w}{b}",
        "请计算{a}{s}{b}。",
        "帮我算 {a} {s} {b}",
        "{a}{w}{b}得多少？",
    ),
    *("{a}{w}{b}", "{a}{w}{b}等于几？", "请问{a}{s}{b}是多少", "{a}{s}{b}的结果", "帮我算算{a}{w}{b}", "求{a}{s}{b}"),
    *(
        "那么{a}{w}{b}呢？",
        "{a}{w}{b}，答案是多少",
        "你会算{a}{s}{b}吗？",
        "告诉我{a}{w}{b}",
        "数学题：{a}{s}{b}",
        "再算{a}{w}{b}",
    ),
)
_CHINESE_HELD_OUT: tuple[str, ...] = ("{a} {s} {b} 的结果是什么？", "你知道{a}{w}{b}是多少吗？", "口算：{a}{w}{b}")
_SIGNS = {"+": ("+", "+", "＋"), "-": ("-", "-", "−"), "×": ("*", "x", "×"), "÷": ("/", "÷", ":")}
_WORDS = {
    "+": ("plus", "plus", "and", "added to"),
    "-": ("minus", "minus", "take away"),
    "×": ("times", "times", "multiplied by"),
    "÷": ("divided by", "divided by", "over"),
}
_CHINESE_WORDS = {"+": ("加", "加上"), "-": ("减", "减去"), "×": ("乘", "乘以"), "÷": ("除以",)}


def example(random: Random, held_out: bool = False) -> list[Turn]:
    """Return a question and its answer; held-out wordings occur in no other example."""
    sign = random.choice("++--××÷")
    left, right, result = _sum(sign, random)
    chinese = random.random() < 0.35
    if chinese:
        wordings, words = (_CHINESE_HELD_OUT if held_out else _CHINESE), _CHINESE_WORDS
    else:
        wordings, words = (_ENGLISH_HELD_OUT if held_out else _ENGLISH), _WORDS
    word = random.choice(words[sign])
    question = random.choice(wordings).format(a=left, b=right, s=random.choice(_SIGNS[sign]), w=word)
    is_plainly_chinese = any(character > "\u3000" and character < "\uff00" for character in question)
    return [
        ("user", question),
        ("assistant", f"{left} {sign} {right} = {result}" + ("。" if is_plainly_chinese else ".")),
    ]


def _sum(sign: str, random: Random) -> tuple[int, int, int]:
    most = random.choice((10, 10, 20, 20, 20, 100))
    left, right = random.randrange(most + 1), random.randrange(most + 1)
    if sign == "+":
        return left, right, left + right
    if sign == "-":
        return max(left, right), min(left, right), abs(left - right)
    left, right = random.randint(1, 10), random.randint(1, 10)
    return (left, right, left * right) if sign == "×" else (left * right, left, right)
