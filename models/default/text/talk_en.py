"""English talk: greetings, what the guide is, what the appliance is. What it cannot know is in talk_en_unknown.py."""

from .topic import Topic

_NAMED = "( guide| there| you| friend| everyone| again| assistant| computer| bot| my friend| buddy| dear guide|||)"

TOPICS = (
    Topic(
        "greeting",
        "Hello! I am guide, the small model built into this appliance. Ask me how to operate it.",
        (
            f"(hello|hi|hey|hello|hi|hey|hiya|howdy|greetings|yo|heya|hullo|hallo|aloha|ahoy|sup|salutations){_NAMED}",
            f"(hello|hi|hey|hello hello|hi hi|hey hey|oh hello|well hello|oh hi|why hello){_NAMED}",
            f"good (morning|afternoon|evening|day){_NAMED}",
            "(hello|hi|hey), (nice|good|pleased|glad) to (meet|see) you",
            "(nice|good|pleased|glad) to (meet|see) you",
            "(is|are) (anybody|anyone|somebody|you) (there|home|here)",
            "(morning|evening|g'day|top of the morning|hellooo|hiii|heyyy|hellow|helo|hai|oi|what's up|wassup|sup)",
            "(let me|I want to|I just want to|I wanted to) say (hello|hi)",
            (
                "(hello|hi), (I am|I'm|my name is|this is) (Anna|Bob|Wei|Tom|Maria|Alex|Sam|new here|a new user|the "
                "admin|John)"
            ),
            "(hello|hi|hey|test|testing|ping|one two three|hello world|anybody)",
            "(good to be here|here I am|I am back|I'm back|hello from me|greetings to you)",
        ),
    ),
    Topic(
        "how_are_you",
        "I am well, thank you. How can I help you with the appliance?",
        (
            (
                "(hi |hello |hey |so |and |)(how are (you|things|you doing|you today|you feeling|you doing today|you "
                "getting on))"
            ),
            "(how is|how's) (it going|life|everything|your day|the day|it|business|it hanging|everything going)",
            "(are you|you) (well|okay|ok|fine|all right|alright|good|happy|tired|doing well|feeling well)",
            (
                "(how do you (do|feel|fare)|how have you been|how goes it|what's new|what is new|how was your day|"
                "hru|how r u)"
            ),
            "(is everything fine with you|I hope you are well|I hope you are doing well|hope you're fine|doing okay)",
            "(good morning|hello|hi), (how are you|how are you doing|how do you feel) (today|this morning|tonight|)",
        ),
    ),
    Topic(
        "thanks",
        "You are welcome.",
        (
            (
                "(thanks|thank you|many thanks|thanks a lot|thank you very much|thank you so much|thanks so much|thx|"
                "ty|cheers)"
            ),
            (
                "(thanks|thank you|many thanks|thx) (for (the|your) (help|answer|time|support|advice|explanation|"
                "command)|for that|guide|a million)"
            ),
            (
                "(that|this|it) (helped|works|worked|was helpful|helps a lot|was useful|did it|solved it)(, thanks|, "
                "thank you|, thx)"
            ),
            (
                "(great|perfect|good|nice|wonderful|excellent|ok|okay|cool|super|fine|awesome|got it|I see), (thanks|"
                "thank you|thx)"
            ),
            (
                "(I (am|'m) (grateful|thankful|much obliged)|much appreciated|I appreciate it|that is kind|that's "
                "very kind of you)"
            ),
            (
                "(thank you kindly|thanks again|thank you again|thanks mate|a thousand thanks|thanks for everything|"
                "tyvm|kudos)"
            ),
            (
                "(good job|well done|great job|nice work|you are great|you're great|good bot|you helped me a lot|"
                "very helpful)"
            ),
        ),
    ),
    Topic(
        "bye",
        "Goodbye!",
        (
            (
                "(bye|goodbye|good bye|bye bye|bye-bye|byebye|farewell|cheerio|ciao|adieu|so long|see ya|cya|ttyl|"
                "later|adios)"
            ),
            "(ok |okay |well |thanks, |)(bye|goodbye|good night|see you|see you later|see you soon|until next time)",
            "see you (later|soon|tomorrow|around|next time|again|then|)",
            "(good night|have a (nice|good|great) (day|evening|night|weekend|one)|sleep well|take care|until tomorrow)",
            "(I|I'll|I will) (have to go|must go|am leaving|am off|am done|go now|leave now|go to bed|be off)",
            "(that is all|that's all|that was all|we are done|I am finished)( for today| for now|, bye|, goodbye)",
            "(talk to you later|catch you later|let's stop here|end of conversation|I am logging off|over and out)",
        ),
    ),
    Topic(
        "who",
        "I am guide, a very small model built into this appliance. I know its commands and little else.",
        (
            (
                "(who|what) (are you|am I talking to|am I speaking with|is speaking|is answering me|is guide|"
                "do I talk to)"
            ),
            "what('s| is) your name",
            (
                "(what|which) (model|AI|LLM|language model|kind of model|bot|assistant) (are you|is this|am I "
                "talking to|answers here)"
            ),
            "are you (a|an) (human|person|AI|robot|bot|machine|real person|language model|computer|program|man|woman)",
            (
                "are you (ChatGPT|GPT-4|Claude|Gemini|Llama|Qwen|Siri|Alexa|GPT|DeepSeek|Copilot|real|alive|human|"
                "intelligent)"
            ),
            "(tell me|say something|tell me something|I want to know more) about (yourself|you)",
            (
                "(introduce yourself|please introduce yourself|present yourself|who made you|who built you|who "
                "trained you)"
            ),
            (
                "(how (big|large|old|small|smart) are you|how many parameters do you have|where do you come from|who "
                "created you)"
            ),
            (
                "(do you have a name|what should I call you|how shall I call you|your name|what do they call you|"
                "name yourself)"
            ),
            "(what is the model|which model is this|what is this model) (called guide|that answers|named guide|here)",
        ),
    ),
    Topic(
        "can_do",
        "I can tell you how to add, run and manage models on this appliance. For other things, add a larger model.",
        (
            "what (can|could) you (do|help with|help me with|tell me|answer|explain|do for me|offer|teach me)",
            "(how|with what) (can|could) you (help|assist|support|be of help|be of use)( me| us|)",
            (
                "what (do you know|are you good at|are you able to do|are you for|are you good for|are your skills|"
                "is your job|is your purpose)"
            ),
            "(what|which) (questions|things|topics) (can|may|should) I ask( you|)",
            "(can|could|would) you (help|help me|assist me|be of help|help me a bit|help me out|lend me a hand)",
            (
                "(help|help me|I need help|please help|please help me|I need some help|I could use some help|assist "
                "me|need help)"
            ),
            (
                "(what are your (abilities|capabilities|limits|features|talents)|your skills|capabilities|what do "
                "you do|list your abilities)"
            ),
            (
                "(are you useful|why are you here|what is your task|what were you trained for|what are you capable "
                "of|show me what you can)"
            ),
        ),
    ),
    Topic(
        "what",
        "The appliance turns this machine into a private AI server: it runs language models here and answers over an "
        "OpenAI-compatible API.",
        (
            (
                "what (is|does) (the appliance|this appliance|an LLM appliance|this software|this program|this thing|"
                "this tool)( do| good for| for|)"
            ),
            (
                "what (is|does) (the appliance|this software|this program|it) (do|used for|made for|good for|meant "
                "for|mean)"
            ),
            (
                "(explain|describe) (the appliance|this appliance|what the appliance is|what the appliance does|this "
                "software|this program)( to me| briefly|)"
            ),
            (
                "(tell me|I want to know) (about|more about|something about|what is) (the appliance|this software|"
                "this program)"
            ),
            "what (can|could) (I|one|we) do with (the appliance|this|it|this software|this program)",
            ("(what is|what's) (it|the purpose of the appliance|the point of the appliance|the idea of this|all this)"),
            (
                "(why|what for) (would I|should I|does one|do people) (use|need|want|install) (the appliance|this|an "
                "LLM appliance)"
            ),
            (
                "(about|introduction|overview of the appliance|purpose|appliance|what is appliance|about the "
                "appliance|LLM appliance)"
            ),
            (
                "(give me|I need) (a short|an|a brief) (introduction|description|summary|explanation) (to|of) (the "
                "appliance|this software)"
            ),
            "(what kind of|what sort of) (program|software|server|thing|product) is (this|the appliance)",
        ),
    ),
    Topic(
        "private",
        "No. Nothing leaves the machine: the models run here, and no data is sent anywhere.",
        (
            (
                "(does|do|will|can) (my|any|the) (data|text|questions|prompts|input|words|conversations|documents|"
                "chats) (leave|get out of|go out of|get away from) (this|the|my) <machine>"
            ),
            (
                "(is|are) (my|the|our) (data|questions|prompts|conversations|documents|chats) (sent|transmitted|"
                "uploaded|transferred|passed on) (anywhere|somewhere|to the cloud|to a server|over the internet|to "
                "anyone|to the manufacturer)"
            ),
            (
                "(does|will) (it|the appliance|the server) (send|upload|transmit|leak|report|share) (data|my data|"
                "anything|my questions|telemetry|something|statistics) (to the cloud|to anyone|to the internet|home|"
                "anywhere|out|)"
            ),
            (
                "(does|will) (it|the appliance) (phone home|call home|spy on me|need the internet|use the cloud|"
                "track me|collect data|need a cloud account)"
            ),
            "who (can|could) (read|see|get) my (questions|prompts|data|conversations|chats|documents)",
            (
                "(privacy|data protection|telemetry|confidentiality|private|cloud|is it private|is my data safe|GDPR|"
                "offline use)"
            ),
            (
                "(is|are) (it|my data|the appliance|this|my questions|my conversations) (private|confidential|safe|"
                "secret|kept local|offline|local|kept private|processed locally)"
            ),
            "where (does|is|do) (my|the) (data|questions|prompts) (go|processed|sent|end up|stay)",
            (
                "(does|can) (it|the appliance) (work|run|be used) (offline|without internet|without the internet|"
                "without a connection|with no network)"
            ),
            (
                "(do|does) (someone|anyone|a company|third parties|strangers|OpenAI|the cloud) (see|get|read|receive|"
                "store) (my|our) (data|questions|prompts|conversations)"
            ),
        ),
    ),
    Topic(
        "formats",
        "Models in GGUF files run here.",
        (
            (
                "(which|what) (file format|format|formats|file formats|model format|kind of files|files|types of "
                "model files|file types) (can|does|do|will) (it|the appliance|I|the server|we) (run|use|take|support|"
                "accept|understand|read|need|load)"
            ),
            (
                "(which|what) (model files|files|formats|model formats|weights|file types) (are supported|work|run "
                "here|can be used|are accepted|are allowed|run|does it support)"
            ),
            (
                "(does|can) (it|the appliance|the server) (run|support|take|use|read|load|accept) (safetensors|ONNX|"
                "PyTorch|pickle|GGML|GGUF|AWQ|GPTQ|MLX|EXL2|Hugging Face) (files|models|weights|checkpoints|)"
            ),
            (
                "(in|of) (which|what) (format|form|file type) (must|should|does) (a|the|my) <model> (be|have to be|"
                "need to be)"
            ),
            (
                "(format|formats|supported formats|file format|model format|file types|supported model files|model "
                "file format)"
            ),
            "(must|should|does) (a|the|my) <model> (be|have to be|need to be) (a GGUF|in GGUF format|GGUF)",
            "(is|are) (GGUF|safetensors|ONNX|GPTQ|AWQ|MLX|PyTorch checkpoints) (supported|okay|accepted|possible)",
            (
                "(which|what) (models|kinds of models|types of models) (are supported|can run here|does the "
                "appliance support|does it support|are compatible|can the appliance run)"
            ),
        ),
    ),
    Topic(
        "where",
        (
            "In the state folder: $APPLIANCE_HOME, else /var/lib/appliance for root and ~/.local/share/appliance for "
            "others."
        ),
        (
            (
                "where (are|is|does it keep|does it store|does the appliance keep|does the appliance store|do I "
                "find) (the|my|its|all the|all) (<models>|state|data|state folder|model store|store|keys file|files|"
                "logs|copied models|data folder)"
            ),
            (
                "where (are|is|lie|lies|live|lives) (the|my|its) (state folder|state|data folder|model store|model "
                "folder|stored <models>|state directory|home folder)"
            ),
            (
                "(in which|which|what) (folder|directory|place|path) (are|is|holds|has|contains|keeps) (the|my|its) "
                "(<models>|state|data|model store|files)"
            ),
            (
                "(state folder|state directory|data folder|data directory|APPLIANCE_HOME|model folder|storage "
                "location|where models|home folder)"
            ),
            (
                "<how> (find|locate|look up) the (state folder|data folder|model store|state directory|folder with "
                "the models|storage folder)"
            ),
            (
                "<how> (move|change|relocate|put) the (state folder|data folder|model store|state directory|storage "
                "folder|models folder)( elsewhere| to another disk| to another place|)"
            ),
            (
                "(what|where) is (APPLIANCE_HOME|the home of the appliance|the state folder|the folder of the "
                "appliance|the data directory)"
            ),
            (
                "(which|what) (environment variable|variable) (sets|names|chooses) the (state folder|data folder|"
                "home|state directory)"
            ),
            "on which (disk|drive|partition) are the (models|data|files) (kept|stored|)",
        ),
    ),
)
