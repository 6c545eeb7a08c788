"""English questions about asking: in the terminal, from the shell, and through a pipe."""

from .topic import Topic

TOPICS = (
    Topic(
        "run",
        "Run `appliance run`. Ctrl-D or /bye leaves the conversation.",
        (
            (
                "<how> (chat|talk|speak|converse) (with the default <model>|with a <model>|with the <model>|) (in|on|"
                "from) (the|my|a) <terminal>"
            ),
            (
                "<how> (start|open|begin|have|hold) (a|an|the) (chat|conversation|interactive chat|interactive "
                "session|chat session|dialogue) (in the <terminal>|with the <model>|here|)"
            ),
            "<how> (chat|talk) (with|to) (it|the <model>|the default model|a <model>|the AI|an assistant|the guide)",
            "<how> (chat|talk) (interactively|here|locally|in a loop|without a browser)",
            (
                "I (want|would like|need) (someone|something|an assistant|a model) to (chat with|talk to) (in the "
                "<terminal>|)"
            ),
            "(chat|interactive chat|terminal chat|chat mode|start chat|open chat|conversation|repl|chat in terminal)",
            "(which|what) command (opens|starts|begins) (a|the) (chat|conversation|dialogue|interactive session)",
            "(can|could) I (chat|talk) (with|to) (it|the <model>|a <model>) (in|from) (the|my) <terminal>",
            "is there (an interactive mode|a chat mode|a chat|a prompt where I can type|a REPL)",
            (
                "<how> ask (several|many|a few|follow-up|more than one) questions (in a row|one after another|in one "
                "conversation|)"
            ),
            "<how> have a (back-and-forth|longer conversation|long chat) (with the <model>|with it|)",
            "where can I (chat|type my messages|talk to the <model>)",
            "how do I leave (the|a) (chat|conversation) (and start it again|once I opened it)",
        ),
    ),
    Topic(
        "run_model",
        "Run `appliance run {model}`. Ctrl-D or /bye leaves the conversation.",
        (
            "<how> (chat|talk|speak|converse) (with|to) (the <model> |){model} (in the <terminal>|interactively|here|)",
            "<how> (chat|talk) with {model} (in|from|on) (the|my) <terminal>",
            (
                "<how> (start|open|begin|have|hold) (a|an) (chat|conversation|interactive chat|chat session|dialogue|"
                "interactive session) with (the <model> |){model}"
            ),
            "(chat|talk|conversation|interactive chat|terminal chat) (with|to) {model}",
            "I (want|would like|need) to (chat with|talk to|have a conversation with|converse with) {model}(, <what>|)",
            "(which|what) command (opens|starts|begins) (a|the) (chat|conversation|dialogue) with {model}",
            "(can|could) I (chat with|talk to|converse with) {model}",
            "<how> have a (back-and-forth|longer conversation|long chat) with {model}",
            "<how> ask {model} (several|many|a few|follow-up) questions (in a row|one after another|)",
            "{model} (is loaded|is here|was added|is ready), how do I (chat with|talk to) it",
            "let me (chat with|talk to|speak to) {model}",
            "run {model} (in the <terminal>|interactively|as a chat|in the shell)",
            "<how> run {model} (in the <terminal>|interactively|as a chat)",
            "(open|start) {model} (as a chat|in a chat|in chat mode)",
        ),
    ),
    Topic(
        "system_prompt",
        'Run `appliance run --system "{text}"`.',
        (
            (
                "<how> (chat|talk|start a chat|start a conversation|open a chat) with (the|a|these|my own|some|a "
                "custom) (<sys>)"
            ),
            '<how> (chat|start a chat|start a conversation|open a chat) with the (<sys>) (|:|of) "{text}"',
            '<how> (give|set|pass|specify|use) (the|this) (<sys>) "{text}" (in the chat|for the chat|)',
            (
                "<how> (give|set|pass|specify|use|add|write|define) (a|the|my own|a custom) (<sys>) (for the (chat|"
                "conversation|model)|in the chat|before the conversation|)"
            ),
            (
                "<how> (tell|instruct) (it|the <model>|the assistant) (how to answer|how to behave|what role to play|"
                "to play a role|to follow rules) (in the chat|)"
            ),
            '<how> (tell|instruct) (it|the <model>) "{text}" (for the whole chat|before we chat|before the chat|)',
            "<how> give (it|the <model>|the chat) a (role|persona|personality|character|style|tone)",
            '(chat|conversation|run) with (instructions|system prompt|instruction|system text) "{text}"',
            (
                "(system prompt|system message|custom instructions|set persona|system instructions|instructions for "
                "the chat|role prompt)"
            ),
            "(system prompt|instructions): {text}",
            "<how> chat with the (<sys>) '{text}'",
            (
                "the <model> (should|must) (follow|obey|keep to) (my|these|certain) (instructions|rules) in the "
                "chat(, <what>|)"
            ),
            'I want a chat where the (<sys>) (is|says|reads) "{text}"',
            "(can|could) I (set|give|change) (a|the) (<sys>)",
            (
                "<how> make (it|the <model>) (behave|act|answer) (in a certain way|differently|as a certain "
                "character) in the chat"
            ),
            "(which|what) (option|flag) (sets|is for|takes) the (<sys>)",
        ),
    ),
    Topic(
        "ask",
        'Run `appliance chat "{question}"`.',
        (
            "<how> ask (just|only|) (one|a single) (question|thing) (from|in|on) (the|a|my) <terminal>",
            (
                "<how> ask (one|a single|a|just one|only one) question (without a chat|and get one answer|and leave|"
                "and quit|from a script|)"
            ),
            '<how> ask "{question}" (from|in|on) (the|a|my) <terminal>',
            '<how> (ask|put|send) (the question|the single question|it|the default model|the <model>|) "{question}"',
            "<how> ask '{question}' (from the <terminal>|in one command|in a script|)",
            (
                "(ask|question|one question|single question|send one prompt|one-shot|one shot question|ask once|"
                "single prompt)"
            ),
            (
                "<how> (send|give|pass) (a|one|a single) (prompt|question|message) (to the <model>|to it|from a "
                "script|from the <terminal>)"
            ),
            (
                "<how> get (one|a single|a quick|just one) answer (in the <terminal>|from the <terminal>|from the "
                "<model>|without a conversation)"
            ),
            (
                "<how> (query|prompt) (the <model>|it|the default model) (once|one time|non-interactively|from a "
                "script|from a shell script|in one line)"
            ),
            "(can|could) I ask (one|a single) question (without|instead of) (opening|starting) a (chat|conversation)",
            "(which|what) command (asks|sends) (one|a single) question",
            'I (want|need|would like) (an|the) answer to "{question}" in the <terminal>(, <what>|)',
            'one question (only|from the shell|in the terminal): "{question}"',
            (
                "my (script|program|cron job|shell script) (should|must|needs to) ask (one question|a question|"
                "something)(, <what>|)"
            ),
        ),
    ),
    Topic(
        "ask_model",
        'Run `appliance chat --model {model} "{question}"`.',
        (
            "<how> ask (the <model> |){model} (one|a|a single|just one) (question|thing) (from the <terminal>|)",
            '<how> ask (the <model> |){model} "{question}"',
            (
                "<how> ask (a certain|a specific|a particular|another|a different|some other) <model> (one|a|a "
                "single) question (from the <terminal>|)"
            ),
            (
                "<how> (send|put|pass|direct|give) (a|one|a single) (question|prompt) to ((the <model> |){model}|"
                "another model|a certain model|a specific model)"
            ),
            '<how> (send|put|pass) "{question}" to {model}',
            "<how> get (one|a single|a quick) answer (from|out of) {model}",
            (
                "<how> (choose|pick|select|say|name|specify) (which|the) <model> (answers|that answers|for) (my|a|"
                "one|a single) question"
            ),
            "(one question|single question|question|a single prompt) (to|for) {model}",
            "(ask|query|prompt) {model}( once| one question| from the shell|)",
            "{model} (should|must) answer (one|a single|my|this) question(, <what>|)",
            "(let|have) {model} answer (one|a|a single) question",
            "(which|what) (option|flag) (chooses|picks|names) the <model> for (one|a|a single) question",
            "I (have|need|want) (one|a single) question for {model}(, <what>|)",
        ),
    ),
    Topic(
        "pipe",
        'Run `cat FILE | appliance chat "QUESTION"`.',
        (
            (
                "<how> (pipe|feed|send|pass|put|give|stream) (a|the|my|some) (<doc>) (through|to|into) (the <model>|"
                "it|a <model>|the <server>)"
            ),
            (
                "<how> (summarize|summarise|translate|review|explain|analyze|analyse|proofread|shorten) (a|the|my) "
                "(<doc>) (from the <terminal>|from the shell|in the terminal|)"
            ),
            "<how> ask (a question|something|questions) about (a|the|my) (<doc>)",
            "<how> (use|work with) (a pipe|pipes|standard input|stdin)",
            "does (it|the command line|chat) (read|accept|take) (from|) (standard input|stdin|a pipe|pipes|piped text)",
            "<how> (hand|pipe) (the output of (a|another) (command|program)|a command's output) to (the <model>|it)",
            "(pipe|pipe file|stdin|piping|pipe text|file as input|read from stdin|pipe a file)",
            "(can|could) (the <model>|it) (read|look at|summarize|summarise|work on) (a|my|the) (<doc>)",
            "I have a (<doc>) (that the <model> should read|and a question about it|to summarize|to summarise), <what>",
            "<how> (let|have|make) the <model> (read|summarize|summarise|translate|check) (a|my|the) (<doc>)",
            "<how> (include|attach|add) (a|the) (<doc>) (to|in|with) (my|a) question",
            "(which|what) command (takes|reads) a (<doc>) (from a pipe|as input|and a question)",
            "the (question|prompt) (is about|goes with) a (<doc>), <what>",
        ),
    ),
    Topic(
        "json",
        "Every command takes --json: for example `appliance ps --json`.",
        (
            (
                "<how> get (JSON|json|machine-readable output|JSON output|structured output|output as JSON) (from "
                "the commands|from a command|for my script|)"
            ),
            (
                "<how> (use|read|parse|process) the output (of the commands|of a command|) (in|from|with) (a script|"
                "a program|my script|another program|jq|code)"
            ),
            "<how> (make|let|have) (a|the|every|each) (command|commands|output) (print|be|give|return|as) JSON",
            "<how> (print|output|show|format) (it|the result|the results|everything|the output) (as|in) JSON",
            "(is there|does it have|do the commands have) (JSON|machine-readable|structured|parseable|a JSON) output",
            "(can|could) (a|the) (command|commands) (print|give|output|return|speak) JSON",
            "(json|json output|json flag|machine readable|structured output|output for scripts|as json)",
            "(which|what) (flag|option|switch) (gives|prints|makes|is for) (JSON|json|machine-readable output)",
            (
                "my (script|program|tool|code) (should|must|has to|needs to) (read|parse|understand) (the output|"
                "what the commands print)(, <what>|)"
            ),
            "I (want|need) (output|results) (for programs|for a program|that a program can read|for jq)(, <what>|)",
            "the (tables|output|text) (is|are) hard to parse, <what>",
        ),
    ),
)
