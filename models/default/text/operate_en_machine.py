"""English questions about the machine, its health, the installation and what the appliance is."""

from .topic import Topic

TOPICS = (
    Topic(
        "hardware",
        "Run `appliance hardware`. It shows processor, graphics cards, memory and temperature.",
        (
            (
                "(what|which) (hardware|CPU|GPU|processor|graphics card|board|chip) (does|has) (this|the|my) "
                "<machine> (have|)"
            ),
            (
                "<how> <show> (the|my|what|) (hardware|CPU|GPU|processor|graphics card|cores|instruction sets|"
                "temperature|machine's hardware) (of this <machine>|it found|)"
            ),
            (
                "(what|which) (CPU|GPU|processor|graphics card|hardware) (is (in this <machine>|here|installed|this)|"
                "do I have|was detected|does it see|was found)"
            ),
            (
                "how much (RAM|memory|VRAM|disk|video memory|disk space) (does (this|the|my) <machine> have|is there "
                "in (this|the|my) <machine>|is installed|is free on this <machine>)"
            ),
            (
                "how many (cores|CPU cores|GPUs|processors|graphics cards|NUMA nodes) (does (this|the|my) <machine> "
                "have|are there|do I have|has this <machine>)"
            ),
            "how (hot|warm) is (the|my|this) (<machine>|CPU|GPU|processor|chip)",
            "what is the temperature (of the (CPU|GPU|<machine>|processor|board)|here|<now>)",
            (
                "is (my|the|a) (GPU|graphics card|NVIDIA card|AMD card|Intel GPU|NPU) (detected|found|seen|"
                "recognized|recognised|visible|there)"
            ),
            (
                "does (it|the <server>|the appliance) (see|find|detect|recognize) (my|the|a) (GPU|graphics card|NPU|"
                "video card)"
            ),
            (
                "(does|has) (my|this|the) (CPU|processor) (support|have|know|offer) (AVX2|AVX512|AVX-512|VNNI|AMX|"
                "NEON|SVE|BF16|AVX)"
            ),
            (
                "(is (the|my|this) (CPU|<machine>|processor) (throttling|throttled|too hot|overheating)|is it "
                "running on battery|is this a virtual machine)"
            ),
            (
                "(hardware|hardware info|cpu info|gpu info|machine info|system info|temperature|specs|list gpus|show "
                "hardware|ram size)"
            ),
            "(tell me|I want to know) (everything|more|something) about (this|the|my) (<machine>|hardware)",
            "(which|what) command (shows|lists|describes) (the|my) (hardware|<machine>|GPU|CPU)",
            "what (kind of|sort of) <machine> (is this|am I on)",
            "(what are|show|list) the (specs|specifications|capabilities) of (this|my|the) <machine>",
        ),
    ),
    Topic(
        "bandwidth",
        "Run `appliance hardware --bandwidth`. It measures for a few seconds.",
        (
            (
                "<how> (measure|test|benchmark|determine|find out|check|see|get|time) (the|my|) (memory|RAM) "
                "(bandwidth|speed|throughput)"
            ),
            "how (fast|quick) is (the|my|this machine's) (memory|RAM|main memory)",
            (
                "how (many|much) (gigabytes per second|GB/s|bytes per second|data) (does|can) (the|my) (memory|RAM) "
                "(read|do|deliver|move|transfer)"
            ),
            "what is the (memory|RAM) (bandwidth|throughput|speed) (of this <machine>|here|)",
            (
                "(memory bandwidth|ram speed|bandwidth|measure bandwidth|memory speed|memory benchmark|ram benchmark|"
                "bandwidth test|RAM throughput)"
            ),
            "<how> (run|do|make|start) (a|the) (memory|bandwidth|RAM) (benchmark|test|measurement)",
            "is (my|the) (memory|RAM) (fast|slow|fast enough) (for <models>|for large models|)",
            "(which|what) (command|option|flag) (measures|tests|shows) (the|) (memory|RAM) (bandwidth|speed)",
            "the (memory|RAM) (seems|looks|may be) slow, how do I measure (it|its speed|its bandwidth)",
            "I (want|need) (to know|a number for|to measure) (the|my) (memory|RAM) bandwidth(, <what>|)",
        ),
    ),
    Topic(
        "capture",
        "Run `appliance hardware --capture {capture}`. Serial numbers and addresses are left out.",
        (
            (
                "<how> (capture|record|save|dump|store|write|export) (the|this|my) (<machine>|hardware|hardware "
                "description|machine's description) (for a bug report|to {capture}|in {capture}|to a file|in a file|"
                "into {capture}|as {capture})"
            ),
            (
                "<how> (capture|record|save|dump|store|write|export) (the hardware|what the hardware probes see|this "
                "<machine>) (to|in|into|as) {capture}"
            ),
            (
                "<how> (attach|add|include|describe|send) (my|the|this) (hardware|<machine>) (to|in|with|for) a (bug "
                "report|issue|report|ticket)"
            ),
            (
                "(what|which file) (do|should|can) I (attach|send|add) (to|with) a (bug report|bug|report|hardware "
                "bug)( about my <machine>|)"
            ),
            (
                "the hardware is (detected|recognized|reported|shown) (wrongly|incorrectly|badly), how do I (report|"
                "send|record) it"
            ),
            (
                "<how> (report|file|send) (a bug|a problem|an issue) (about|with) (wrong|the|my) (hardware|hardware "
                "detection)"
            ),
            (
                "<how> make (a|an) (capture|recording|snapshot|fixture|dump) of (this <machine>|my hardware|the "
                "hardware|the machine)"
            ),
            (
                "<how> (make|get|create) (a|the) (file|report) (with|that describes) (my|the) (hardware|<machine>) "
                "for the (developers|maintainers|authors|programmers)"
            ),
            (
                "the (developers|maintainers|authors) (want|need|asked for) (a capture|a recording|a description|the "
                "data) of my (hardware|<machine>)(, <what>|)"
            ),
            (
                "(capture|hardware capture|capture hardware|machine capture|record hardware|bug report|hardware dump|"
                "save hardware info)"
            ),
            "(capture|record|save) (hardware|machine) (to|in|as) {capture}",
            "(which|what) (command|option|flag) (captures|records|saves) (the|my) (hardware|<machine>)",
        ),
    ),
    Topic(
        "doctor",
        "Run `appliance doctor`. It names each problem and the command that mends it.",
        (
            (
                "(something|it|the <server>|everything|the appliance) (is|seems|looks|must be) (wrong|broken|faulty|"
                "odd|strange|damaged|misbehaving)(, <what>|)"
            ),
            (
                "(something|the <server>|it|the appliance) (does not work|doesn't work|is not working|won't work|"
                "stopped working|fails|keeps failing|crashes)(, <what>|)"
            ),
            (
                "<how> (check|test|verify|examine|inspect|diagnose|validate|audit) (the|my|this) (installation|setup|"
                "system|appliance|health|install)"
            ),
            (
                "<how> (find|diagnose|look for|search for|discover|detect|track down|troubleshoot) (problems|errors|"
                "faults|a problem|the problem|the cause|issues|what is wrong|the fault)"
            ),
            (
                "what is (wrong|the matter|broken|the problem) (with (it|the <server>|my installation|this <machine>|"
                "the appliance)|here|)"
            ),
            (
                "is (everything|the installation|my setup|the appliance) (okay|ok|fine|all right|in order|healthy|"
                "correct|set up right)"
            ),
            (
                "(are|is) there (any|some|) (problem|problems|errors|issues|trouble) (with the installation|on this "
                "<machine>|)"
            ),
            (
                "(doctor|diagnose|diagnostics|troubleshoot|check installation|self test|health of the installation|"
                "find problems|self check|debug problem|troubleshooting)"
            ),
            "(which|what) command (finds|shows|looks for|diagnoses) (problems|what is wrong|faults|errors)",
            (
                "I (have|got|see|ran into) (a problem|problems|trouble|an error|strange errors|issues)( with the "
                "<server>| with the appliance|)(, <what>|)"
            ),
            (
                "<how> (do|run|start) a (self-test|self test|checkup|check-up|health check of the installation|"
                "diagnosis|full check)"
            ),
            "(did|has) (the installation|the install|everything) (go|gone) (well|right|wrong)",
            (
                "(is|are) (my|the) (drivers|driver|GPU driver|permissions|folders|disk) (okay|fine|right|set up "
                "correctly|missing|good enough)"
            ),
            "why does (it|nothing|the <server>) (not work|work|fail|crash)",
        ),
    ),
    Topic(
        "doctor_fix",
        "Run `appliance doctor --fix`. It asks before it changes anything.",
        (
            (
                "<how> (fix|repair|mend|solve|correct|cure|heal|remedy|patch up|resolve) (the|these|all|those|any|) "
                "(problems|faults|findings|errors|issues) (it found|automatically|that doctor found|the doctor names|"
                "by itself|)"
            ),
            "<how> (fix|repair|mend|heal|restore) (the|my|a|a broken) (installation|setup|install|appliance)",
            (
                "<how> let (it|doctor|the doctor|the appliance) (fix|repair|mend|solve) (the problems|itself|what it "
                "can|what it found|everything|things)"
            ),
            (
                "(can|could) (it|doctor|the doctor|the appliance) (fix|repair|mend|heal) (itself|the problems|what "
                "it found|that|problems)( by itself| automatically|)"
            ),
            (
                "(doctor|the doctor|it) (found|finds|reports|shows|names) (a problem|problems|errors|faults|"
                "something), how do I (fix|repair|mend|solve) (it|them)"
            ),
            (
                "(doctor fix|fix problems|repair installation|auto repair|fix it|repair|self repair|automatic fix|"
                "fix findings|mend)"
            ),
            (
                "(which|what) (command|option|flag) (fixes|repairs|mends|solves) (problems|the findings|what is "
                "broken|the installation)"
            ),
            (
                "(please|just|) (fix|repair|mend) (it|everything|what you can|what can be fixed|the findings|"
                "whatever is broken)"
            ),
            "(is there|does it have) (an automatic|a) (repair|fix|remedy)",
            "I want (the problems|the findings|everything|it) (fixed|repaired|mended)( automatically|)(, <what>|)",
        ),
    ),
    Topic(
        "slow",
        "Run `appliance doctor`. It says what makes this machine slower than it could be.",
        (
            (
                "(why|how come) (is|are) (it|the <model>|the answers|the <server>|generation|everything|{model}|the "
                "replies) so (slow|sluggish)"
            ),
            (
                "(it|the <model>|the answer|the <server>|generation|everything|{model}) (is|runs|seems|feels|has "
                "become|got) (too |very |so |really |awfully |)(slow|sluggish|slowly)(, <what>|)"
            ),
            (
                "the (answers|replies|responses|tokens) (are|come|come out|arrive) (too |very |so |)(slow|slowly|"
                "late|sluggish)(, <what>|)"
            ),
            (
                "(answers|replies|responses|an answer) (take|takes) (too long|forever|ages|minutes|very long|so "
                "long)(, <what>|)"
            ),
            (
                "<how> (make|get) (it|the <model>|the answers|generation|{model}|the <server>) (faster|quicker|run "
                "faster|go faster)"
            ),
            (
                "<how> (speed up|accelerate|improve the speed of|tune|boost) (it|the <model>|the answers|generation|"
                "the <server>|inference)"
            ),
            "<how> (find|find out|see|learn) (why|what makes) (it|the <model>|the <server>) (is|so|) slow",
            "what (makes|slows) (it|the <model>|the answers|the <server>) (so slow|down|slow)",
            (
                "(slow|too slow|slow answers|speed up|faster|performance|bad performance|low speed|slow generation|"
                "performance problem)"
            ),
            "(I only get|there are only) (a few|two|three|very few) (tokens|words) (per|a) second(, <what>|)",
            "(is|why is) (my|the) (performance|speed) (so bad|so poor|poor|low|bad|normal)",
            "could (it|the <model>|the <server>) be (faster|quicker) on this <machine>",
            "I (wait|have to wait) (too long|forever|ages|a long time) for (an answer|answers|every answer)",
        ),
    ),
    Topic(
        "version",
        "Run `appliance version`.",
        (
            (
                "(what|which) version (is this|is it|do I have|is installed|of the appliance is this|am I running|is "
                "running|of the appliance do I have|of the software is installed|am I on)"
            ),
            (
                "<how> <show> (the|its|my|which|what) (version|version number|release|installed version|version is "
                "installed|version I have) (of the appliance|)"
            ),
            (
                "(version|version number|show version|release|which release|appliance version|what version|installed "
                "version|software version)"
            ),
            "(is|am) (this|it|I) (the latest|an old|a recent|up to date with the|on the newest) version",
            "(what|which) (release|build|edition) (is this|do I have|of the appliance is installed|am I running)",
            "how (old|new|recent) is (this|my) (version|release|installation)",
            "(which|what) command (prints|shows|tells) the version",
            (
                "(support|somebody|the bug report|the form) (asks|wants to know) (for my version|which version I "
                "have|which version I run)(, <what>|)"
            ),
            "the version of (the appliance|this program|this software|the program)",
        ),
    ),
    Topic(
        "help",
        "Run `appliance --help`. Each command explains itself: add --help to it.",
        (
            (
                "(what|which) commands (are there|exist|can I use|does it have|do you have|are available|does the "
                "appliance have|can I run)"
            ),
            "<how> <show> (all|the|all the|a list of|the available|every) (commands|subcommands|command line options)",
            (
                "<how> (get|find|read|open) (the|some|) (help|documentation|manual|usage|instructions) (for the "
                "commands|of the commands|of a command|for a command|on the command line|)"
            ),
            "where (is|can I find|do I find) (the|) (help|documentation|manual|list) (for|of) the commands",
            (
                "(commands|all commands|list commands|command list|usage|command help|cli help|show commands|"
                "available commands|man page|overview of commands)"
            ),
            "(tell me|teach me|show me|give me) (the|all|all the|every|the list of) (command|commands)",
            (
                "(what|which) (options|flags|switches|arguments|parameters) (does (a|the|each) command (have|take|"
                "accept|know)|are there|exist)"
            ),
            "(give|show) me (an overview|a list|a summary) of (the|all|your|) commands",
            "I (don't|do not) know (the|any|which) (commands|command line|commands there are)",
            (
                "<how> (learn|find out|look up) (the|what) (options|arguments|flags|commands) (of a command|a "
                "command takes|there are|)"
            ),
            "(how is|how do I use) the (command line|CLI|command line tool)( used|)",
        ),
    ),
    Topic(
        "install",
        "Run `sh installer/install.sh` in the folder of the project.",
        (
            (
                "<how> (install|set up|deploy|put) (the appliance|it|this|this software|this program|the software|"
                "the LLM appliance) (on (this|a|my|another|a new) <machine>|)"
            ),
            "<how> (get|bring) (the appliance|this software|it) (onto|on) (this|my|another|a new) <machine>",
            "how (is|does one|was) (the appliance|it|this) (installed|set up|deployed|install)",
            (
                "(install|installation|setup|installer|install appliance|install script|how install|installing the "
                "appliance|setup script)"
            ),
            "(which|what) (script|command) (installs|sets up|deploys) (it|the appliance|everything)",
            "(where|what) is the (installer|install script|installation script|setup script)",
            (
                "<how> (install|set up) (it|the appliance) (as a service|with systemd|as root|without root|from the "
                "checkout|from source|offline)"
            ),
            (
                "<how> (update|upgrade|reinstall|renew) (the appliance|it|the software|the installation) (from a "
                "newer checkout|)"
            ),
            "I (want|need) (the appliance|it) on (another|a second|a new|my other) <machine>(, how do I install it|)",
            "I (cloned|checked out|downloaded|unpacked) the (project|repository|source|checkout), how do I install it",
        ),
    ),
    Topic(
        "uninstall",
        "Run `sh installer/uninstall.sh`. With --keep-models your models stay.",
        (
            (
                "<how> (uninstall|deinstall|completely remove|fully remove|get rid of|delete|remove) (the appliance|"
                "the whole appliance|this software|the software|the LLM appliance|this program) (from (this|my) "
                "<machine>|completely|again|)"
            ),
            "<how> (uninstall|deinstall) (it|everything|this|all of it) (from (this|my) <machine>|completely|again|)",
            (
                "(uninstall|uninstaller|remove appliance|uninstall appliance|remove everything|deinstall|uninstall "
                "script|uninstalling)"
            ),
            "(which|what) (script|command) (uninstalls|removes|deinstalls) (it|the appliance|everything|the software)",
            "I (don't|do not|no longer) (want|need) the appliance (any more|on this <machine>|at all)(, <what>|)",
            "(where|what) is the (uninstaller|uninstall script|removal script)",
            "<how> (clean|wipe) (the appliance|everything of the appliance) off (this|my) <machine>",
            (
                "<how> (uninstall|remove) (the appliance|it|the software) (but keep|and keep|without losing|without "
                "deleting) (my|the) <models>"
            ),
            (
                "the appliance (should|must|has to) (go|be removed|leave) (from|off) (this|my) <machine> (completely|"
                "entirely|)(, <what>|)"
            ),
            "how is (the appliance|it) (uninstalled|removed again|deinstalled)",
        ),
    ),
)
