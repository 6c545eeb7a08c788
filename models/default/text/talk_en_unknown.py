"""What the guide cannot know, in English: the world, other programs, and features that do not exist.

Near misses matter most: "delete a container" must not be answered with the command that deletes a model.
"""

from .topic import Topic

_TELL = "(|||please |can you |could you |tell me |do you know |I wonder |I want to know |explain |quick: |hey, )"
_PEOPLE = (
    "(Einstein|Napoleon|Mozart|Shakespeare|Cleopatra|Newton|Bach|Picasso|Darwin|Marie Curie|Gandhi|Confucius|Plato|"
    "Beethoven|Caesar|Lincoln|Da Vinci|Galileo|Turing|Ada Lovelace|Elvis|Messi|Taylor Swift|the pope|the president)"
)
_COUNTRIES = (
    "(France|Germany|Japan|China|India|Brazil|Italy|Spain|Kenya|Egypt|Canada|Norway|Peru|Poland|Mexico|Russia|Turkey|"
    "Australia|Vietnam|Greece|Chile|Sweden|Portugal|Iran|Cuba|Nepal|Morocco|Iceland|Ireland|Finland|the USA)"
)
_CITIES = (
    "(Paris|London|Berlin|Tokyo|Beijing|Shanghai|Rome|Madrid|Cairo|Moscow|New York|Sydney|Lima|Oslo|Vienna|Prague|"
    "Delhi|Lagos|Toronto|Chicago|Zurich|Athens|Lisbon|Dublin|Seoul|Bangkok|Hanoi|Boston)"
)
_TOPICS = (
    "(love|the sea|autumn|spring|a cat|a dog|the moon|rain|my mother|war|friendship|a robot|winter|a dragon|football|"
    "coffee|the stars|a train|time|a tree|summer|a princess|two brothers|the mountains|climate change|space|money)"
)
_SUBJECTS = (
    "(gravity|photosynthesis|quantum physics|relativity|inflation|evolution|black holes|DNA|electricity|the big bang|"
    "democracy|the French revolution|blockchain|philosophy|astrology|the stock market|vaccines|volcanoes|a neuron|"
    "magnetism|the immune system|plate tectonics|entropy|capitalism|the Roman empire|world war two|bitcoin|jazz)"
)
_LANGUAGES = (
    "(Python|Java|C|C++|Rust|Go|JavaScript|SQL|Haskell|Ruby|PHP|TypeScript|Perl|Kotlin|Swift|assembler|HTML|CSS|bash|R)"
)
_TONGUES = (
    "(French|German|Spanish|Chinese|Japanese|Latin|Russian|Arabic|Italian|Korean|Hindi|Greek|Swedish|Dutch|Polish)"
)
_PROGRAMS = (
    "(docker|Docker|kubernetes|Kubernetes|k8s|ollama|Ollama|Excel|Word|git|nginx|postgres|MySQL|Photoshop|vim|emacs|"
    "Windows|Ubuntu|Debian|LM Studio|vLLM|llama.cpp|Firefox|Chrome|Outlook|Slack|Ansible|Terraform|Redis|npm|pip|"
    "apt|systemd timers|ssh|WordPress|PowerPoint|Blender|Steam|Zoom|iTunes|Android|my iPhone|macOS|VirtualBox|PyTorch)"
)
_THINGS_OF_PROGRAMS = (
    "(a container|a docker container|a pod|a docker image|a branch|a database|a table|a spreadsheet|a virtual machine|"
    "a partition|a user account|a website|a printer|a repository|a commit|a pull request|a folder|a photo|an e-mail|"
    "a cluster|a cron job|a firewall rule|a swap file|a network share|a package|a playlist|a calendar entry)"
)
_FEATURES = (
    "(train|fine-tune|finetune|retrain|merge|distill|quantize|convert|benchmark|encrypt|publish|sell|clone|sign) "
    "(a <model>|my <model>|{model}|the <model>)"
)
_WISHES = (
    "(generate|make|create|draw|paint|edit|produce) (an image|a picture|a video|music|a song|a logo|speech|a podcast|"
    "a photo|a slide show|a presentation|a drawing of a cat|an animation)"
)

TOPICS = (
    Topic(
        "unknown",
        "I do not know that. I only know this appliance; for other questions add a larger model.",
        (
            f"{_TELL}(what|which city) is the capital (city |)of {_COUNTRIES}",
            (
                f"{_TELL}(how many people live in|who rules|who governs|what is the population of|where is|how large "
                f"is) {_COUNTRIES}"
            ),
            f"{_TELL}(who (is|was)|when was|where was|how old is|what did) {_PEOPLE}( born| known for| do| die|)",
            (
                f"{_TELL}(what (is|are|causes)|how does|explain|define|why is there|who discovered|what do you think "
                f"of) {_SUBJECTS}( work|)"
            ),
            (
                "(teach me|tell me|explain to me|I need to learn|give me a lecture|write an essay|a short text) "
                f"(about |on |){_SUBJECTS}"
            ),
            (
                f"{_TELL}(what is|what's|how is|how will be|what will be) the weather (like |)(in {_CITIES}|today|"
                "tomorrow|this weekend|outside|here)"
            ),
            (
                f"(will it|does it|is it going to) (rain|snow|be sunny|be hot|be cold|storm) (in {_CITIES}|today|"
                "tomorrow|tonight|this week|on Sunday)"
            ),
            f"(weather|weather forecast|temperature outside|forecast) (in |for |){_CITIES}",
            (
                "(write|compose|make|invent|give me|tell me|I want|recite) (a|me a|a short|a long|a funny) (poem|"
                f"story|song|haiku|limerick|joke|tale|essay|novel|letter|riddle|speech) (about|on|for) {_TOPICS}"
            ),
            (
                "(tell me|do you know|make|I want to hear) (a|another|one more|a good) (joke|story|riddle|fairy tale|"
                "fun fact|secret|proverb)"
            ),
            (
                "(write|give me|show me|I need|can you write|implement|generate) (a|some|the|) (function|code|"
                f"program|script|loop|class|regular expression|sort|query|game|website) in {_LANGUAGES}"
            ),
            (
                "(how do I|how to|how can I) (sort a list|read a file|reverse a string|open a file|write a loop|"
                f"parse a date|make a class|catch an exception|concatenate strings) in {_LANGUAGES}"
            ),
            (
                f"(fix|debug|review|explain|optimize|refactor) (this|my|the following) {_LANGUAGES} (code|program|"
                "function|script|snippet|error)"
            ),
            (
                f"(is|what is|who invented|why use|should I learn|how old is|which version of) {_LANGUAGES}( better "
                f"than {_LANGUAGES}| hard to learn| good|)"
            ),
            (
                "(translate|how do you say|how do I say|what is) (hello|good morning|I love you|thank you|this "
                f'sentence|the house is red|water|"where is the station"|my letter) (in|into|to) {_TONGUES}'
            ),
            f"(teach me|speak|do you speak|can you speak|answer in|learn|correct my|let's talk in) {_TONGUES}",
            (
                "(I have|what helps against|how do I treat|what can I do about|is it dangerous to have|my child has) "
                "(a headache|a cold|fever|back pain|a cough|insomnia|high blood pressure|a toothache|stress|an "
                "allergy)"
            ),
            (
                "(how many calories (has|are in)|is|how healthy is|can I eat|how do I cook|how do I bake|give me a "
                "recipe for|what wine goes with) (an apple|bread|pasta|rice|a cake|soup|pizza|chicken|eggs|potatoes|"
                "fish|tofu|pancakes)"
            ),
            (
                "(who won|when is|who plays in|what was the score of|where is|how long is) (the world cup|the match|"
                "the final|the Olympic games|the game last night|the super bowl|the marathon|the Tour de France|the "
                "chess championship)"
            ),
            (
                "(where can I buy|how much (is|costs|does cost)|what is the price of|should I buy|which is the best|"
                "recommend me|find me|order me) (a phone|shoes|a car|a bicycle|a laptop|a coffee machine|a sofa|a TV|"
                "a ticket|a house|a graphics card|bitcoin|a pizza)"
            ),
            (
                "(book|find|plan|recommend|organize) (me |)(a flight|a hotel|a trip|a restaurant|a train|a holiday|a "
                f"tour) (to|in) {_CITIES}"
            ),
            f"(how far is it|how do I get|what is the way|how long is the flight) (from {_CITIES} |)to {_CITIES}",
            (
                "(what (time|day|date|year|month) is it|what is today's date|what is the time|which day is today|"
                "what time is it)( in London| now| in Tokyo|)"
            ),
            (
                "(set|start|create|make) (an alarm|a timer|a reminder|an appointment|a calendar entry|a shopping "
                "list)( for tomorrow| for seven o'clock| for ten minutes|)"
            ),
            "(play|stop|find|recommend|sing) (some|a|me a|a good) (music|song|film|movie|book|game|series|video)",
            (
                "(what is the meaning of life|does god exist|why do we dream|what is love|why am I sad|what is "
                "happiness|is there life on Mars|are we alone|what happens after death)"
            ),
            (
                "(who is the (president|king|queen|chancellor|prime minister|mayor|emperor) of|what is the currency "
                "of|which language is spoken in|what is the flag of|what do people eat in|when is the best time to "
                f"visit) {_COUNTRIES}"
            ),
            (
                "(how (tall|high|long|deep|old|far away|heavy|hot|big) is) (Mount Everest|the Eiffel tower|the Nile|"
                "the sun|the moon|the ocean|the earth|a whale|the Great Wall|an elephant|Jupiter|the Amazon)"
            ),
            (
                "(what is the (latest|newest) news|what happened (today|yesterday|in 1989|in 1492|last week)|news|"
                "headlines|who won the election|stock prices|exchange rate of the dollar|lottery numbers)"
            ),
            (
                "(solve|what is|calculate|compute) (the integral of x squared|the square root of two|a differential "
                "equation|the derivative of sin x|pi to ten digits|the sum of all primes|e to the i pi|log of 100)"
            ),
            (
                "(what colour is|why is|what makes) (the sky|grass|the sea|blood|snow|a banana|the sun)( blue| green|"
                " red| white| yellow|)"
            ),
            (
                "(give me|I need|what is) (advice|some advice|your opinion|legal advice|tax advice|career advice|"
                "relationship advice|an opinion) (on|about) (my job|my marriage|my taxes|my contract|politics|"
                "religion|my boss|my essay|my diet)"
            ),
            (
                "(write|draft|compose|improve|proofread) (an|a|my|me an) (e-mail|application|CV|resume|cover letter|"
                "thesis|contract|invoice|report|blog post|tweet) (to my boss|for a job|about the meeting|for a "
                "client|to a friend|for me)"
            ),
            (
                "(how do I|how can I|how to|which command|what is the command to|please) (install|update|start|stop|"
                f"configure|remove|uninstall|restart|use|upgrade|download) {_PROGRAMS}"
            ),
            (
                f"{_TELL}(what is|what version is|who made|how much is|where is|what are the commands of|what port "
                f"uses) {_PROGRAMS}"
            ),
            f"(is|are) {_PROGRAMS} (better|faster|free|safe|open source|good|secure)",
            (
                "(how do I|how can I|how to|please|I want to|I need to) (create|delete|remove|list|open|copy|start|"
                f"stop|share|load|rename|restore|resize|send) {_THINGS_OF_PROGRAMS}"
            ),
            f"(delete|remove|list|start|stop|show|create|load) {_THINGS_OF_PROGRAMS} (in|with|on|using) {_PROGRAMS}",
            f"(how do I|how can I|how to|can I|is it possible to|I want to|which command lets me) {_FEATURES}",
            f"(how do I|can you|can I|can the appliance|please|I want to|does the appliance) {_WISHES}",
            (
                "(how do I|can I|which command lets me|I want to) (add a user account|change my password|schedule a "
                "backup|back up the appliance|set up a cluster|connect two appliances|open the web interface|use the "
                "graphical interface|set a theme|send a mail when it fails|change the language|write a plugin|browse "
                "the web|search the internet|control my lights|turn on the heating)"
            ),
            (
                "(how do I|how can I|how to) (boil an egg|tie a tie|fix a bicycle|learn to swim|grow tomatoes|lose "
                "weight|paint a wall|train a dog|clean a carpet|change a tyre|write a novel|play the guitar|become "
                "rich|fall asleep|make friends|unclog a sink|iron a shirt)"
            ),
            (
                "(how do I|how to|can you) (format a disk|mount a disk|change my wallpaper|reset my router|set up a "
                "VPN|recover a deleted photo|partition my drive|print a page|scan a document|connect a bluetooth "
                "headset|overclock my GPU|update my BIOS|install a driver for my printer)"
            ),
            (
                "(recommend|suggest|name|give me|list) (a|some|three|five|ten|two) (good|) (books|films|names for a "
                "cat|restaurants|rivers|animals|countries|colours|birthday presents|songs|flowers|cities|trees|games|"
                "hobbies)"
            ),
            (
                "(blah blah|asdf|qwertz|foo bar|lorem ipsum|xyz xyz|hmm|aaaa|the quick brown fox|banana|purple "
                "monkey|42|la la la|potato|abc def|why|what|because|maybe|nonsense|jkl jkl|never mind|whatever)"
            ),
            (
                "(I am|I'm|I feel) (hungry|bored|sad|in love|angry|lonely|cold|late|lost|thirsty|nervous|sick|tired "
                "of my job|afraid)"
            ),
            (
                "(do you|can you) (like|love|hate|eat|dream of|know|want|play|remember|believe in) (me|music|cats|"
                "pizza|football|chess|ghosts|your mother|my birthday|the future|colours|god|Alexa)"
            ),
            (
                "(what is the|what's the|tell me the) (plural of mouse|opposite of hot|synonym of big|boiling point "
                "of water|speed of light|chemical formula of salt|largest country|longest river|smallest planet|"
                "atomic number of iron|distance to the moon|meaning of serendipity)"
            ),
        ),
    ),
)
