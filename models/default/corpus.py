"""The text that the embedded model learns: questions about the appliance, each topic with one answer.

Written by hand for this project. The last question of each topic is held out of training, to see what was understood
and not only remembered.
"""

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Topic:
    """Several ways to ask one thing, and its answer."""

    answer: str
    questions: tuple[str, ...]


Turn = tuple[str, str]  # role, content


def _topic(answer: str, *questions: str) -> Topic:
    return Topic(answer, questions)


GREETINGS = (
    _topic(
        "Hello! I am guide, the small model built into this appliance. Ask me how to run it.",
        *("hello", "hi", "hey", "hello there", "hi there", "good morning", "good evening", "good day", "hey guide"),
        *("greetings", "hello guide", "hi guide", "hey there"),
    ),
    _topic(
        "I am well, thank you. How can I help you with the appliance?",
        *("how are you", "how are you doing", "how is it going", "are you well", "how do you do", "how are you today"),
    ),
    _topic(
        "You are welcome.", "thanks", "thank you", "thank you very much", "many thanks", "thanks a lot", "thank you!"
    ),
    _topic("Goodbye!", "bye", "goodbye", "see you", "see you later", "good night", "bye bye", "good bye"),
    _topic(
        "I am guide, a very small model that comes with the appliance. I know its commands and little else.",
        *(
            "who are you",
            "what are you",
            "what is your name",
            "what model are you",
            "are you a person",
            "are you an AI",
        ),
        *("what is guide", "tell me about yourself", "which model are you"),
    ),
    _topic(
        "I can tell you how to add, run and manage models on this appliance. For other things, add a larger model.",
        *("what can you do", "how can you help me", "what do you know", "help", "help me", "what can I ask you"),
        *("can you help me", "what are you good at", "I could use some help", "please help me", "I need help"),
    ),
)

BASICS = (
    _topic(
        "The appliance turns this machine into a private AI server: it runs language models here and answers over an "
        "OpenAI-compatible API. Nothing leaves the machine.",
        *("what is this", "what is the appliance", "what does the appliance do", "what is this program"),
        *("explain the appliance", "what is an LLM appliance", "tell me about the appliance", "what does this do"),
    ),
    _topic(
        "From the checkout, run: sh installer/install.sh",
        *("how do I install it", "how do I install the appliance", "how to install", "installing the appliance"),
        *(
            "which command installs it",
            "how can I set it up",
            "install the appliance",
            "how is it set up",
            "how does one install it",
            "how is it installed",
        ),
    ),
    _topic(
        "Run: sh installer/uninstall.sh. With --keep-models your models stay.",
        *("how do I uninstall it", "how to uninstall", "uninstall the appliance", "how do I remove the appliance"),
        *("remove the appliance from this machine", "how can I uninstall the appliance"),
    ),
    _topic(
        "Run: appliance serve. It listens on 127.0.0.1:8484.",
        *("how do I start the server", "how do I start it", "start the server", "how to start the daemon"),
        *(
            "how do I start the appliance",
            "which command starts the server",
            "run the server",
            "how do I start serving",
        ),
    ),
    _topic(
        "The server listens on 127.0.0.1, port 8484. Another port: appliance serve --port 9000",
        *("which port does it use", "what port is it on", "how do I change the port", "where does it listen"),
        *("what is the address of the server", "use another port", "on which port does the server listen"),
    ),
    _topic(
        "First make a key with appliance keys create NAME, then run: appliance serve --host 0.0.0.0",
        *("how do I reach it from another machine", "how do I open it to the network", "serve on the network"),
        *("how do others on my network use it", "can I use it from another computer", "listen on all addresses"),
        *("how do I make it reachable from other machines",),
    ),
    _topic(
        "Stop it with Ctrl-C or SIGTERM. Running answers may finish first.",
        *("how do I stop the server", "stop the server", "how do I shut it down", "how to stop the daemon"),
        *("shut down the appliance", "how do I stop the appliance", "how can I stop it"),
    ),
    _topic(
        "Run: appliance ps. It shows the loaded models, their memory and their speed.",
        *("how do I see the status", "what is running", "show the status", "which models are loaded", "is it running"),
        *("how do I see what is loaded", "status of the server", "how much memory do the models use"),
        *("how do I see which models are running",),
    ),
    _topic(
        "Run: appliance config show. It prints every setting and where it came from.",
        *("how do I see the settings", "show the configuration", "where are the settings", "how do I see the config"),
        *("which settings are in force", "how do I show the settings"),
    ),
    _topic(
        "Write your settings in appliance.toml and start with: appliance serve --config FILE",
        *("how do I change a setting", "how do I configure it", "where do I write my settings", "use a config file"),
        *("how can I change the settings", "how do I use another config file", "how do I configure the appliance"),
    ),
    _topic(
        "Run: appliance version",
        *("which version is this", "what version do I have", "show the version", "how do I see the version"),
        *(
            "version",
            "which version is installed",
            "what is the version",
            "which version of the appliance is installed",
        ),
    ),
    _topic(
        "Every command explains itself: appliance --help",
        *("which commands are there", "list the commands", "what commands can I use", "show me the commands"),
        *("where is the help of the commands", "what are the commands"),
    ),
)

MODELS = (
    _topic(
        "Run: appliance models add FILE.gguf. The file stays where it is.",
        *("how do I add a model", "add a model", "how to add a model", "how can I add my own model", "add a GGUF file"),
        *("how do I install a model", "I have a GGUF file, what now", "how do I import a model", "use my own model"),
        *("how can I add a model file",),
    ),
    _topic(
        "Run: appliance models add FILE.gguf --copy. The file is copied into the store.",
        *("how do I copy a model into the store", "the daemon cannot read my model file", "my file cannot be read"),
        *("add a model as a copy", "how do I add a copy of a model", "can the store keep a copy of the file"),
    ),
    _topic(
        "Run: appliance models list",
        *("how do I list the models", "which models do I have", "list models", "show all models", "list my models"),
        *("what models are installed", "how can I see my models", "which models are installed"),
    ),
    _topic(
        "Run: appliance models show NAME",
        *("how do I see details of a model", "show a model", "tell me more about a model", "describe a model"),
        *(
            "how large is a model",
            "how do I show a model",
            "model details",
            "the details of my model",
            "details of a model",
        ),
    ),
    _topic(
        "Run: appliance models rm NAME. A file that you added in place is not deleted.",
        *(
            "how do I remove a model",
            "delete a model",
            "remove a model",
            "how can I delete a model",
            "how to delete a model",
        ),
        *("get rid of a model", "how do I uninstall a model", "how can I remove a model"),
    ),
    _topic(
        "Run: appliance models load NAME",
        *("how do I load a model", "load a model", "load a model into memory", "how to load a model"),
        *("warm up a model", "how can I load a model"),
    ),
    _topic(
        "Run: appliance models unload NAME",
        *("how do I unload a model", "unload a model", "free the memory of a model", "how to unload a model"),
        *("take a model out of memory", "how can I unload a model"),
    ),
    _topic(
        "Run: appliance models pin NAME. A pinned model stays loaded.",
        *("how do I pin a model", "pin a model", "keep a model loaded", "how to pin a model", "what is a pinned model"),
        *("how do I keep a model in memory", "how can I pin a model"),
    ),
    _topic(
        "The appliance runs GGUF files.",
        *(
            "which model formats work",
            "what files can it run",
            "which file format do I need",
            "what formats are supported",
        ),
        *(
            "which models can it run",
            "what kind of files does it run",
            "which model files can I use",
            "what kind of model files can I use",
        ),
    ),
    _topic(
        "Start with appliance serve --model NAME, or set default_model in appliance.toml.",
        *("how do I choose the default model", "set the default model", "change the default model"),
        *("how do I make a model the default", "what is the default model", "how can I change the default model"),
    ),
)

USE = (
    _topic(
        "Run: appliance run NAME. Ctrl-C stops an answer, not the program.",
        *("how do I chat with a model", "how do I run a model", "run a model", "chat with a model", "start a chat"),
        *("how to run a model", "how do I talk to a model", "how can I chat in the terminal", "how can I run a model"),
    ),
    _topic(
        'Run: appliance chat "your question"',
        *("how do I ask a single question", "ask one question", "one question from the shell", "use it in a script"),
        *("how can I use it in a pipe", "how do I ask one question", "how do I ask just one question"),
    ),
    _topic(
        "Run: appliance keys create NAME. The key is shown once, so keep it.",
        *("how do I make a key", "create a key", "how do I create an API key", "I need an API key", "make an API key"),
        *("how do I get a key", "how to create a key", "new key", "how can I make an API key"),
    ),
    _topic(
        "Run: appliance keys list",
        *("how do I list the keys", "which keys exist", "list keys", "show the keys", "list my API keys"),
        *("how can I see the keys", "how can I list my keys"),
    ),
    _topic(
        "Run: appliance keys revoke NAME",
        *("how do I revoke a key", "delete a key", "revoke a key", "how do I delete an API key", "remove a key"),
        *("a key was stolen", "how can I revoke a key"),
    ),
    _topic(
        "Use any OpenAI client with the base URL http://127.0.0.1:8484/v1",
        *("how do I use the API", "what is the base URL", "how do I use the openai client", "where is the API"),
        *("how do I connect a client", "does it work with the openai library", "what is the API address"),
        *("how do I use the openai library",),
    ),
    _topic(
        "Send a POST request to http://127.0.0.1:8484/v1/chat/completions",
        *("how do I use curl", "which URL do I post to", "chat completions address", "show me a curl request"),
        *("how do I send a request with curl", "how can I use curl"),
    ),
    _topic(
        "Read http://127.0.0.1:8484/metrics. It speaks the Prometheus format.",
        *("where are the metrics", "how do I monitor it", "does it have metrics", "how do I use prometheus"),
        *("show me the metrics", "how can I monitor the server"),
    ),
    _topic(
        "Ask http://127.0.0.1:8484/ready. It answers 200 once the default model has answered.",
        *("how do I know that it is ready", "is the server ready", "when is it ready", "how do I check that it is up"),
        *("is there a health check", "how can I check that the server is ready"),
    ),
    _topic(
        "No. Models run on this machine, and nothing is sent elsewhere.",
        *("does my data leave the machine", "is it private", "is my data sent anywhere", "does it need the internet"),
        *("do you send my data away", "does it phone home", "does my data stay private"),
    ),
    _topic(
        "Use a smaller file, such as Q4_K_M, or free memory with: appliance models unload NAME",
        *(
            "the model does not fit",
            "not enough memory",
            "out of memory",
            "the model is too large",
            "I have too little memory",
        ),
        *("what if a model does not fit in memory", "my model does not fit"),
    ),
)

UNKNOWN = _topic(
    "I do not know that. I only know this appliance; add a larger model for other questions.",
    *("what is the capital of France", "who won the game", "what is the weather", "tell me a joke", "write a poem"),
    *("what is the meaning of life", "how old is the universe", "who is the president", "what is two plus two"),
    *("how do I cook rice", "write a story about a dragon", "translate this into French", "what time is it"),
    *("solve this equation", "who wrote Hamlet", "how tall is the highest mountain", "what is a black hole"),
    *("write a python program", "what is love", "how do I bake bread", "sing a song", "who invented the telephone"),
    *("what is the largest ocean", "explain quantum physics", "what should I eat today", "how far is the moon"),
    *("recommend a book", "what is the population of Japan", "why is the sky blue", "how do birds fly"),
    *("play some music", "who painted the Mona Lisa", "what is the speed of light", "how do I fix my car"),
    *("what is the capital of Spain",),
)

_SUBJECTS = (
    *("the sea", "a dog", "the moon", "love", "history", "France", "music", "the war", "physics", "football", "autumn"),
    *("my garden", "cats", "London", "the stars", "cooking", "a king", "trees", "China", "my sister", "money", "art"),
)
_UNKNOWN_FORMS = (
    *("write a poem about {}", "write a story about {}", "write a haiku about {}", "write an essay about {}"),
    *("tell me about {}", "tell me a joke about {}", "what do you think of {}", "explain {}", "what is {}", "draw {}"),
    *("how do I write an essay about {}", "give me ten facts about {}", "summarize a book about {}", "who likes {}"),
    *("why is {} important", "where do I find {}", "when was {} invented", "translate {} into Spanish", "sing of {}"),
)
_UNKNOWN_PEOPLE = ("Einstein", "Napoleon", "Mozart", "Shakespeare", "Newton", "Picasso", "Cleopatra", "Darwin", "Bach")
_OPERATIONS = ("+", " + ", " plus ", " times ", " minus ", " * ", "-", " divided by ")

TOPICS: tuple[Topic, ...] = (*GREETINGS, *BASICS, *MODELS, *USE, UNKNOWN)
HELD_OUT: tuple[tuple[str, str], ...] = tuple((topic.questions[-1], topic.answer) for topic in TOPICS)

_SYSTEM = ("You are a helpful assistant.", "Answer briefly.", "You are guide.", "Be kind and clear.")
_OPENINGS = ("please ", "hi, ", "hello, ", "ok, ", "and ", "so ", "hey, ", "a question: ")


def conversation(random: Random) -> list[Turn]:
    """Return a conversation of one to three questions, now and then with a system message before them."""
    turns: list[Turn] = [("system", random.choice(_SYSTEM))] if random.random() < 0.25 else []
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        is_unknown = random.random() < 0.12
        topic = UNKNOWN if is_unknown else random.choice(TOPICS)
        question = _unknown_question(random) if is_unknown else random.choice(topic.questions[:-1])
        turns.append(("user", _spelling(question, random)))
        turns.append(("assistant", topic.answer))
    return turns


def _unknown_question(random: Random) -> str:
    """Ask for something that has nothing to do with the appliance."""
    kind = random.randrange(4)
    if kind == 0:
        return random.choice(UNKNOWN.questions[:-1])
    if kind == 1:
        number, other = random.randrange(100), random.randrange(100)
        return (
            random.choice(("what is ", "how much is ", "calculate ")) + f"{number}{random.choice(_OPERATIONS)}{other}"
        )
    if kind == 2:
        return random.choice(("who is ", "who was ", "when did ", "tell me about ")) + random.choice(_UNKNOWN_PEOPLE)
    return random.choice(_UNKNOWN_FORMS).format(random.choice(_SUBJECTS))


def _spelling(question: str, random: Random) -> str:
    """Vary what people vary: an opening, capitals, the mark at the end and a slip of the fingers."""
    if random.random() < 0.15 and len(question) > 12:
        question = random.choice(_OPENINGS) + question
    if random.random() < 0.5:
        question = question[0].upper() + question[1:]
    if random.random() < 0.05:
        question = question.lower()
    if random.random() < 0.08:
        at = random.randrange(len(question))
        question = question[:at] + question[at + 1 :]
    return question.rstrip("?!") + random.choice(("", "", "?", "?", "?", ".", "!"))
