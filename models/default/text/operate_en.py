"""English questions about the server: starting, reaching, stopping and watching it."""

from .topic import Topic

TOPICS = (
    Topic(
        "serve",
        "Run `appliance serve`. It listens on 127.0.0.1:8484.",
        (
            "<how> <start> (the|my|a|) <server>",
            "<how> <start> (the|my|a|) <server>",
            "<how> <start> (the|) (LLM|AI|model|local|inference|OpenAI-compatible|) (server|daemon|API)",
            "<how> get (the|) <server> (running|going|up|started|up and running)",
            "<how> bring the <server> (up|online|to life)",
            "<how> make the <server> (run|start|listen|come up|available on this <machine>)",
            "<how> (serve|start serving|begin serving) (models|the API|requests|an API|locally|)",
            "<how> (have|keep) the <server> (run|running) on this <machine>",
            "<how> (start|launch|run) (it|this|everything|the thing|this program)",
            (
                "<how> (offer|provide|expose) (an|the) (OpenAI-compatible|OpenAI|local|REST|HTTP|) (API|endpoint) "
                "(here|on this <machine>|)"
            ),
            "(starting|launching|running|start|launch|boot) (the|) <server>",
            "(the <server>|it|the daemon) (is not|isn't|is not yet) (running|started|up), (<what>|how do I start it)",
            "it says (no daemon|there is no daemon|the daemon is not running|no daemon is running), <what>",
            "(where|how) do I begin, the <server> must (run|be started|come up)",
            "I want a (local|running|private) <server>, <what>",
            "I (just|have|have just) installed (it|everything|the appliance), how do I start it",
            "what (starts|launches|boots|brings up) the <server>",
            "which command (starts|launches|runs|boots|brings up) the <server>",
            "(command|cmd) (to|for) (start|starting|launch|run) (the|) <server>",
            "the <machine> was rebooted, how do I start the <server> again",
            "<how> restart the <server> after I stopped it",
            "(connection refused|the port is closed), how do I start the <server>",
            "(serve|server start|start server|start daemon|daemon start|launch appliance|how serve)",
        ),
    ),
    Topic(
        "port",
        "Run `appliance serve --port {port}`.",
        (
            "<how> <start> (the|) <server> on port {port}",
            "<how> (serve|listen) on port {port}",
            (
                "<how> (use|choose|pick|select|take|set) port {port} (for the <server>|instead of 8484|instead of "
                "the default|)"
            ),
            "<how> (change|set|switch|move) the port (of the <server>|) to {port}",
            "<how> make the <server> (listen|run|answer|work) on port {port}",
            "<how> (serve|run|listen) on (another|a different|some other|my own) port",
            (
                "<how> <set> the (port|port number|TCP port|listening port) (of the <server>|the <server> uses|it "
                "listens on|)"
            ),
            "<how> <start> the <server> on (another|a different|some other|a free|a non-default|a custom) port",
            (
                "<how> (use|choose|pick|select|specify) (another|a different|some other|a custom|the) port (for the "
                "<server>|)"
            ),
            "<how> (move|bind) the <server> to (port {port}|another port|a different port)",
            "port (8484|8484 here) is (taken|in use|used|busy|occupied|blocked|already used), <what>",
            (
                "(something|another program|another process|nginx|apache) (already|) (uses|listens on|occupies|"
                "blocks) port 8484"
            ),
            "I need the <server> on port {port}, <what>",
            "the <server> (should|must|has to|needs to) (listen|run|be|answer) on port {port}(, <what>|)",
            "I (need|want|prefer|would rather have) port {port} (instead|instead of 8484|, not 8484|for the API)",
            "(port {port}|another port|different port|change port|set port|custom port|port number)",
            "(8484 is not free|8484 is taken|address already in use), <what>",
            "(can it|can the <server>) (run|listen|answer) on (port {port}|another port|a different port)",
            "(which|what) (option|flag|switch) (sets|changes|chooses) the port",
            "(serve|server|appliance) (on|with|at) port {port}",
        ),
    ),
    Topic(
        "network",
        "First make a key with `appliance keys create NAME`, then run `appliance serve --host 0.0.0.0`.",
        (
            "<how> (reach|use|access|open|query|connect to|talk to) (it|the <server>) from (<other>)",
            "<how> (reach|use|access|query|connect to) (the <server>|it) (over|across|through|via) <net>",
            (
                "<how> (let|allow) (<others>) (use|reach|access|connect to|talk to) (the <server>|it|this <machine>|"
                "the models here)"
            ),
            "<how> (share|offer|publish|expose|open) (the <server>|it|the API) (to|with|on|for) (<others>|<net>)",
            (
                "<how> make (the <server>|it|the API) (reachable|available|accessible|visible|public) (to|for|from|"
                "in) (<others>|<net>|<other>)"
            ),
            (
                "<how> (listen|serve|bind) (on|to) (all (addresses|interfaces|network interfaces)|0.0.0.0|every "
                "interface|the LAN|<net>)"
            ),
            "<how> (serve|open up) to (<others>|<net>|the LAN)",
            "(<others>) (want|need|would like|are going) to use (it|the <server>|the models|this <server>)(, <what>|)",
            "(<others>) (can't|cannot|can not) (reach|connect to|see|access) (it|the <server>|the API)",
            "it only (works|answers|listens) on (localhost|this <machine>|127.0.0.1), (<what>|but I need it on <net>)",
            "(can|could) (<others>) (use|reach|access|connect to) (it|the <server>|this|my server)",
            "I (am|sit) at (another|a different) <machine> (and want to use the <server>|, how do I connect)",
            (
                "(remote access|network access|LAN access|access from LAN|serve on LAN|listen on all interfaces|"
                "expose to network)"
            ),
            "(connect|access) from (another machine|another computer|my phone|other devices|outside)",
            (
                "what (do I need|must I do|is needed) (so|in order) that (<others>) can (use|reach|connect to) the "
                "<server>"
            ),
            "(is it possible to|can I) use the (appliance|models|server) (from|on) (<other>)",
            "<how> (stop listening|listen not) only on (localhost|127.0.0.1)",
            (
                "my (phone|laptop|tablet|other computer) (should|must|needs to) (use|reach|talk to|connect to) (the "
                "<server>|it)"
            ),
            "which address must it (bind|listen) to for (<others>|<net>)",
        ),
    ),
    Topic(
        "preload",
        "Run `appliance serve --model {model}`.",
        (
            "<how> <start> the <server> with (the <model> |){model} (loaded|preloaded|already loaded|in memory|ready|)",
            (
                "<how> <start> the <server> with (a|a certain|a given|one|my|a specific|a particular) <model> "
                "(loaded|preloaded|already in memory|ready|)"
            ),
            (
                "<how> (preload|pre-load) (the <model> |){model} (at start|at startup|on startup|when the <server> "
                "starts|)"
            ),
            "<how> (preload|pre-load) (a|my|one) <model> (at start|at startup|on startup|when the <server> starts|)",
            (
                "<how> load ({model}|a <model>|my <model>) (when|as soon as|while) the <server> (starts|comes up|"
                "boots|is starting)"
            ),
            (
                "<how> load ((the <model> |){model}|automatically a <model>) (at start|at startup|on startup|at boot|"
                "during startup)"
            ),
            (
                "<how> (serve|start serving) (with|) (the <model> |){model} (from the start|from the beginning|by "
                "default for this run|)"
            ),
            (
                "<how> have (a <model>|{model}) (loaded|ready|in memory) (at|from|right after) (startup|the start|"
                "the beginning|launch)"
            ),
            "<how> make {model} the default (of|for) (this run|this session) (of the <server>|)",
            (
                "<how> <start> the <server> so that {model} (is loaded|answers first|is there|is ready|is the "
                "default) at once"
            ),
            (
                "the <server> (should|must|has to) (load|start with) {model} (at start|at startup|when it starts|)(, "
                "<what>|)"
            ),
            "(serve|start server|start|daemon) with (model {model}|{model} preloaded|{model} loaded)",
            (
                "(preload model|preload {model}|preloading|load model at startup|serve a certain model|serve model "
                "{model})"
            ),
            "(which|what) (flag|option) (preloads|loads) a <model> (at start|at startup|when the <server> starts)",
            "I (don't|do not) want to wait for the first (load|request), the <server> should start with {model}",
        ),
    ),
    Topic(
        "config_file",
        "Run `appliance serve --config {config}`.",
        (
            "<how> <start> the <server> with <cfg>",
            "<how> (serve|run) with <cfg>",
            (
                "<how> (use|take|load|read|pass|give|specify|choose) <cfg> (for the <server>|when serving|when I "
                "start the <server>|)"
            ),
            "<how> make the <server> (use|read|take|load) <cfg>",
            "<how> (point|direct) the <server> (to|at) <cfg>",
            "<how> (use|read|take) the settings (in|from|of) {config}",
            "<how> <start> the <server> (using|from|by) (the (config|settings) |){config}",
            (
                "my (settings|configuration|config|options) (are|is|lie|live) in {config}(, <what>|, how do I start "
                "with them)"
            ),
            (
                "I (wrote|have|made|keep) (a|my own|another) (settings|config|configuration) file(, {config}|) (and "
                "want to start with it|, how do I use it)"
            ),
            "the <server> (should|must) (read|use|take) {config}(, <what>| instead of appliance.toml|)",
            "(other|another|different|custom|alternative) (config|settings|configuration) (file|toml)",
            "(serve with|server with|start with|run with|use) (config|settings) {config}",
            "(which|what) (flag|option) (names|chooses|sets|is for) the (settings|config|configuration) file",
            "(can|could) the <server> (use|read|take) <cfg>",
            "<how> try (out|) (the settings in {config}|<cfg>) without touching appliance.toml",
        ),
    ),
    Topic(
        "stop",
        "Press Ctrl-C where it runs, or send it SIGTERM. Answers under way are finished first.",
        (
            (
                "<how> (stop|halt|quit|end|terminate|kill|close|shut down|shutdown|turn off|switch off|exit|power "
                "down) (the|my|) <server>"
            ),
            "<how> (stop|halt|quit|end|terminate|shut down|turn off|switch off) (the|my|) <server>",
            "<how> (shut|turn|take|bring) the <server> (down|off) (cleanly|safely|gracefully|again|properly|)",
            "<how> (stop|end) (serving|the serving|the running server|the daemon process|it again|the program)",
            "<how> make the <server> (stop|quit|exit|end|go away)",
            "(stopping|shutting down|stop|shutdown|halt|kill) (the|) <server>",
            "what (stops|ends|terminates|shuts down) the <server>",
            "which signal (stops|ends|terminates) (it|the <server>)",
            "(the <server>|it) (should|must|has to) stop (now|), <what>",
            "I (don't|do not|no longer) need the <server> (any more|now|for today), how do I (stop|end|close) it",
            "(stop server|stop daemon|server stop|quit|how stop|exit serve|turn it off|stop appliance)",
            "is it (safe|okay|fine) to (press Ctrl-C|kill|stop) (the <server>|while it serves)",
            "<how> gracefully (stop|end|terminate) (the <server>|the daemon)",
        ),
    ),
    Topic(
        "ps",
        "Run `appliance ps`. It shows the loaded models, their memory and their speed.",
        (
            (
                "(what|which models|which model|what models|which LLMs|what model) (is|are) (loaded|in memory|"
                "running|active|in use|resident) (<now>|)"
            ),
            "<how> <show> (what is|which models are|the models that are) (loaded|in memory|running|active) (<now>|)",
            "<how> <show> the (status|state|load|activity|usage) (of the <server>|of the models|)",
            "<how> <show> (the|) (loaded|running|active) <models>",
            "<how> (watch|monitor|follow|observe|see) what (the <server>|it) (does|is doing|is busy with)",
            "what is the <server> (doing|busy with|working on) (<now>|)",
            (
                "how much (memory|RAM|VRAM) (do|does|are|is) (the|my|each|every|) (<models>|<model>|loaded models) "
                "(use|take|need|occupy|using|eating|consuming) (<now>|)"
            ),
            (
                "<how> <show> how much (memory|RAM|VRAM) (a|the|each|every) (loaded|running|) <model> (uses|takes|"
                "needs|occupies)"
            ),
            (
                "how (fast|quick) (is|does|are) (the|my|) (<model>|models|generation) (running|generate|<now>|"
                "answering|go|)"
            ),
            "<how> <show> (the|) (speed|tokens per second|throughput) (of the <model>|of the models|)",
            (
                "how many (requests|questions|users|jobs) (are|) (waiting|running|queued|in the queue|being "
                "answered) (<now>|)"
            ),
            "<how> <show> the (queue|waiting requests|running requests|requests in flight)",
            (
                "(status|ps|server status|daemon status|loaded models|running models|memory usage of models|tokens "
                "per second|show status)"
            ),
            "is (a|any|some) <model> (loaded|in memory|running) (<now>|)",
            "is {model} (loaded|in memory|running|already loaded|still loaded|still in memory) (<now>|)",
            (
                "<how> (tell|know|check|see|find out) (if|whether) (a <model>|{model}|my <model>) is (loaded|in "
                "memory|still in memory)"
            ),
            "which <models> (occupy|use|take|fill|eat) (the|my|) <memory>",
            "how busy is (it|the <server>)",
            "(what|who) is (using|filling|eating) (the|my|all the) <memory>",
            "give me an overview of (what runs|the running models|the <server>)",
        ),
    ),
    Topic(
        "ready",
        "Run `curl http://127.0.0.1:8484/ready`. It answers 200 once the server can take requests.",
        (
            "is (it|the <server>) (up|ready|alive|online|there|reachable|up and running) (<now>|already|yet|)",
            (
                "<how> (check|test|see|know|tell|find out|verify|probe) (if|whether|that) (it|the <server>) is (up|"
                "ready|alive|online|reachable)"
            ),
            (
                "<how> (do|make|write|add|get) a (health check|readiness check|liveness probe|readiness probe|health "
                "probe)"
            ),
            "<how> wait (until|till|for) the <server> (is ready|is up|to be ready|can take requests|to come up)",
            "(when|how) (do|can) I know (that|when|if) the <server> (is ready|is up|can take requests|can be asked)",
            "(health check|readiness|healthcheck|ready endpoint|ready check|health|liveness|probe|readiness url)",
            (
                "(which|what) (URL|endpoint|path|address) (tells|says|shows) (whether|if|that) (it|the <server>) is "
                "(ready|up|alive|healthy)"
            ),
            (
                "(my|our|the) (load balancer|monitoring|script|orchestrator|proxy) (needs|wants|asks for) a (health|"
                "readiness) (check|URL|endpoint)"
            ),
            "does the <server> (answer|respond|accept requests) (<now>|yet|already|)",
            "can (it|the <server>) (take|accept|answer) requests (<now>|yet|already|)",
            "<how> ping the <server>",
        ),
    ),
    Topic(
        "metrics",
        "Run `curl http://127.0.0.1:8484/metrics`. The format is that of Prometheus.",
        (
            (
                "<how> (get|read|see|fetch|view|collect|scrape|export|query) (the|its|) (metrics|Prometheus metrics|"
                "statistics|counters|telemetry|histograms)"
            ),
            (
                "<how> (connect|use|hook up|attach|integrate|set up) (Prometheus|Grafana|my monitoring|a dashboard) "
                "(with|to|for) (it|the <server>)"
            ),
            (
                "<how> monitor (the <server>|it|latency|requests|throughput) (with|in|using) (Prometheus|Grafana|a "
                "dashboard)"
            ),
            "(are|is) there (any|) (metrics|a metrics endpoint|statistics|Prometheus data|counters)",
            (
                "where (are|is|do I find|can I find) the (metrics|metrics endpoint|statistics|counters|Prometheus "
                "endpoint)"
            ),
            (
                "(which|what) (URL|endpoint|path|address) (has|gives|serves|shows) (the|) (metrics|statistics|"
                "Prometheus data)"
            ),
            "(metrics|prometheus|grafana|metrics url|metrics endpoint|scrape target|statistics|prometheus endpoint)",
            (
                "does (it|the <server>) (have|offer|export|support|speak) (metrics|Prometheus|Prometheus metrics|"
                "statistics)"
            ),
            (
                "(Prometheus|Grafana|my dashboard|our monitoring) (should|must|needs to) (scrape|read|watch) (the "
                "<server>|it)(, <what>|)"
            ),
            "what do I (enter|put|write) (in|into) (Prometheus|prometheus.yml|the scrape config)",
        ),
    ),
    Topic(
        "curl",
        "Try `curl http://127.0.0.1:8484/v1/models`.",
        (
            "<how> (use|try|call|query|test|reach|ask) (it|the API|the <server>) with curl",
            (
                "<how> (send|make|do|try) (a|an|the first|some|my first) (request|HTTP request|API request|API call|"
                "call) (with curl|by curl|using curl|from the shell with curl)"
            ),
            "<how> (list|get|fetch|query) the <models> (over|via|through|with|using) (HTTP|curl|the API|the REST API)",
            "(give|show) me (a|an) (curl|HTTP|API) (example|request|command|call)",
            "(example|sample) (request|call|curl|of a curl request|for curl|API request)",
            "(curl|curl example|curl request|http request|test the api|try the api|api example|rest call)",
            "<how> test the (API|endpoint|HTTP API|REST API) (by hand|quickly|from the <terminal>|)",
            "what (is|would be) a (simple|first|minimal|small) (request|API call|HTTP request|curl command)",
            "does (the API|it) (work|answer) with curl",
            "which curl command (works|can I use|do I need|shows the models|should I try)",
        ),
    ),
    Topic(
        "base_url",
        "Set the base URL of your client to http://127.0.0.1:8484/v1. While no key exists, any API key does.",
        (
            (
                "<how> (use|connect|set up|configure|point) (the|my|an|) (openai|OpenAI|openai python|OpenAI Python) "
                "(client|library|package|SDK|module) (here|with this|with it|to it|to the <server>|)"
            ),
            (
                "<how> (connect|use|point|hook up|attach) (my (app|program|editor|script|code|application|IDE|"
                "plugin)|langchain|LangChain|Open WebUI|Python|a chat UI) (to|with|at) (it|the <server>|the API)"
            ),
            (
                "(what|which) is the (base URL|base url|API URL|endpoint|API address|API base|api_base|server URL|"
                "URL of the API)"
            ),
            (
                "(what|which) (base URL|base_url|endpoint|API address|URL) (do|should|must|can) I (use|set|enter|"
                "give|put|configure) (in my client|in my app|for the API|for the openai client|)"
            ),
            (
                "<how> (call|use|ask) (it|the API|the <server>|the models) from (Python|JavaScript|my code|my "
                "program|a script|node|Go|Java)"
            ),
            (
                "(where|at which address|at what URL|on which address) (is|does) the (API|OpenAI API|endpoint) "
                "(listen|found|reachable|)"
            ),
            (
                "(openai client|base url|base_url|api endpoint|openai sdk|openai compatible|openai api|api url|"
                "OPENAI_BASE_URL)"
            ),
            (
                "is (it|the API|the <server>) (OpenAI compatible|OpenAI-compatible|compatible with OpenAI|compatible "
                "with the openai client)"
            ),
            (
                "(can|could) I use (the openai library|openai|the OpenAI SDK|my OpenAI code|existing OpenAI "
                "programs) (with it|here|with this|)"
            ),
            (
                "my (program|app|code|tool) (was written for|speaks|uses|expects) (OpenAI|the OpenAI API|openai), "
                "(how do I switch it to this|what do I change|<what>)"
            ),
            "what do I put (into|in) OPENAI_BASE_URL",
        ),
    ),
)
