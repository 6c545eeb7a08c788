"""English questions about models: their files, and which are in memory."""

from .topic import Topic

TOPICS = (
    Topic(
        "models_list",
        "Run `appliance models list`.",
        (
            (
                "(what|which) <models> (are there|do I have|are available|are installed|can I use|do we have|exist "
                "here|are here|are known|have I got|have been added|are on this <machine>)"
            ),
            "<how> <show> (all|all the|the|my|every) (available|installed|known|) <models>",
            (
                "<how> <show> (which|what) <models> (I have|there are|are installed|are available|exist|I can use|"
                "were added)"
            ),
            "<how> get (a|the) (list|overview|table|listing) of (all|the|my|) (available|installed|) <models>",
            "(list|show|display|print|enumerate|view) (all|my|the|available|installed|) <models>",
            "(models|model list|list of models|available models|installed models|my models|models list|show models)",
            "(is there|do I have) (a|any) <model> (installed|here|on this <machine>|to choose from)",
            "how many <models> (are installed|are there|do I have|have I got|can I use)",
            "(I forgot|I don't remember|I no longer know) (which|what) <models> (I added|I have|are installed)",
            "where do I (see|find) (the names of|the list of|) (my|the|all) <models>",
            (
                "(what|which) is the name of my <model>, (it was added|I added it|I installed it) (long ago|"
                "yesterday|last week)"
            ),
            "(which|what) command (lists|shows|names) (the|all|my) <models>",
            "(is|was) {model} (installed|available|added) (here|already|on this <machine>|)",
            "what can I choose from, (which|what) <models>",
        ),
    ),
    Topic(
        "models_add",
        "Run `appliance models add {file}`. The file stays where it is.",
        (
            "<how> <add> (the (file|model|model file|<thegguf>) |){file} (to the appliance|as a model|)",
            "<how> <add> (a|my|another|a new|my own|the) <model>",
            "<how> <add> (a|my|the|this|a local) <thegguf> (to the appliance|to my <models>|)",
            "<how> make (a|my|the|this) <thegguf> (available|usable|a model|known to the <server>)",
            "<how> make {file} (available|usable|a model|known to the <server>)",
            (
                "I (have|got|downloaded|have downloaded|just downloaded|fetched|copied) (a|the|my|this) <thegguf>(, "
                "{file}|), (<what>|how do I use it|how do I add it)"
            ),
            (
                "I (have|got|downloaded|have downloaded|saved) {file}, (<what>|how do I add it|how do I get it into "
                "the list)"
            ),
            "(my|the|a) (<thegguf>|model) (lies in|is in|is at|is called) {file}(, <what>|, how do I add it)",
            "(add|register|import|install|adopt) {file}",
            (
                "(add model|add gguf|import model|register model|install model|new model|adding a model|import gguf|"
                "models add)"
            ),
            "{file} (should|must|has to) (be added|become a model|be available|appear in the list)(, <what>|)",
            "(where|how) do I (put|place|drop) (a|my|the) <thegguf>",
            "which command (adds|registers|imports|installs) (a <model>|a <thegguf>|{file}|new models)",
            "(can|could) I use my own (<model>|<thegguf>|models|weights)",
            (
                "<how> get (a|another|a larger|a bigger|a better|a real|a new) <model> (in here|into the appliance|"
                "onto this <machine>|into it)"
            ),
            "I want a (bigger|better|larger|smarter|real|more capable) <model>(, <what>|)",
        ),
    ),
    Topic(
        "models_add_name",
        "Run `appliance models add {file} --name {model}`.",
        (
            "<how> <add> (a <model>|a <thegguf>|my <model>|a file) (under|with|by) (the|a) name {model}",
            (
                "<how> <add> (a <model>|a <thegguf>|my <model>|a file) (under|with|by) (a name of my choice|another "
                "name|a different name|my own name|a custom name|a name I choose|a short name|a shorter name)"
            ),
            (
                "<how> <add> {file} (as|under the name|with the name|under the name of|and call it|and name it|by "
                "the name of) {model}"
            ),
            "<how> <add> (a|my|the) (<thegguf>|<model>) (and call it|and name it|called|named|as) {model}",
            (
                "<how> (choose|pick|set|give|decide|determine) (the|a|my own|another) name (of|for) (a|the|my|a new) "
                "<model> (when I add it|that I add|while adding it)"
            ),
            "<how> (call|name) (a|my|the) (new|added|) <model> {model} (when I add it|when adding it|while I add it)",
            "(add|register|import) {file} (as|under the name|with the name|named|and call it) {model}",
            "{file} (should|must|shall) be (called|named|known as|available as|listed as) {model}(, <what>|)",
            (
                "(my|the) <thegguf> (should|must) be (called|named|known as) {model} (when I add it|in the list)(, "
                "<what>|)"
            ),
            (
                "(add with name|custom model name|own model name|name for a model|choose model name|model name when "
                "adding)"
            ),
            (
                "the (file name|name of the file) is (ugly|long|too long), can I add the <model> under (another|a "
                "shorter|a better) name"
            ),
            (
                "I don't like the name that (comes|is taken) from the file, how do I add the <model> (under another "
                "one|with my own)"
            ),
            "(which|what) (option|flag) (sets|gives|chooses) the name (of a new model|when I add a model)",
        ),
    ),
    Topic(
        "models_add_copy",
        "Run `appliance models add {file} --copy`. It copies the file into the appliance's own folder.",
        (
            (
                "<how> (copy) (the file |the <thegguf> |){file} into (the store|the appliance|the appliance's folder|"
                "the state folder|its own folder)"
            ),
            (
                "<how> copy (a|my|the) (<thegguf>|<model>) into (the store|the appliance|the appliance's own folder|"
                "the state folder|its own folder)"
            ),
            (
                "<how> <add> {file} (as a copy|with a copy|and copy it|by copying it|so that I can delete the file|"
                "and then delete the original|from a USB stick)"
            ),
            (
                "<how> <add> (a|my|the) (<thegguf>|<model>) (as a copy|with a copy|by copying it|so that I can "
                "delete the original|from a USB stick|from a stick|from removable media|from a drive that I unplug)"
            ),
            (
                "the (daemon|server|service) (can't|cannot|may not|is not allowed to|is unable to) (read|open|"
                "access) (my|the) (<thegguf>|model file|file {file}|file)(, <what>|)"
            ),
            "the (daemon|server|service) (can't|cannot|may not|is not allowed to) (read|open|access) {file}(, <what>|)",
            "permission denied (for|on|when the daemon reads) ({file}|my model file|the <thegguf>)(, <what>|)",
            "(add with copy|copy model|copy gguf|model copy|copy into store|add a copy|copy the model file)",
            (
                "I (want|need|plan|am going) to (delete|move|unplug|remove) the (<thegguf>|original file|original|"
                "download) (after adding it|afterwards|later)(, <what>|)"
            ),
            "(add|import) {file} (and keep a copy|as a copy|with a copy)",
            (
                "(my|the) (<thegguf>|model) is on a (USB stick|stick|network drive|removable disk|memory card|"
                "external disk), how do I (keep|get|take) (it|a copy) in the appliance"
            ),
            (
                "the appliance (should|must) (keep|have|own) (its own|a) copy of (the file|{file}|the <thegguf>)(, "
                "<what>|)"
            ),
            "(which|what) (option|flag) (copies|makes a copy of) the (file|<thegguf>)",
        ),
    ),
    Topic(
        "models_show",
        "Run `appliance models show {model}`.",
        (
            "<how> <show> (the|) (<facts>) (of|about|for) (the <model> |){model}",
            "<how> <show> (the|) (<facts>) (of|about|for) (a|one|my|a certain|a specific) <model>",
            "(what|which) (is|are) the (<facts>) (of|for) {model}",
            "what (is known|do you know|does the appliance know|is there to know) (of|about) (the <model> |){model}",
            "(tell me|I want to know) (more|everything|something) about (the <model> |){model}",
            (
                "(how many parameters|how much context|what context length|how many layers|which quantization|what "
                "architecture) does {model} have"
            ),
            "how (big|large|long) is (the (file|context|context window) of |){model}",
            "(details|info|information|facts|description|metadata|properties) (of|on|about|for) {model}",
            "(describe|inspect|examine|look at) (the <model> |){model}",
            (
                "(model details|model info|show model|model metadata|inspect model|model properties|details of a "
                "model|show {model})"
            ),
            "<how> (inspect|examine|describe) (a|one|my|the) <model>",
            (
                "(which|what) (quantization|architecture|license|file|context window|chat template) (does {model} "
                "use|has {model})"
            ),
            "where is the file of {model}",
            "(which|what) command (describes|shows) (a single|one) <model>",
        ),
    ),
    Topic(
        "models_rm",
        "Run `appliance models rm {model}`.",
        (
            "<how> <remove> (the <model> |){model} (for good|completely|from the list|from my <models>|from disk|)",
            (
                "<how> <remove> (a|my|an old|one|the|an unused|another) <model> (for good|completely|from the list|"
                "from disk|from the appliance|)"
            ),
            (
                "<how> <remove> (<models>|old <models>|some <models>|unused <models>) (I don't need|I no longer use|"
                "for good|that I do not use|)"
            ),
            (
                "<how> (free|save|get back|reclaim|make) (disk space|space on the disk|storage|room on the disk) (by "
                "removing a <model>|taken by {model}|that {model} takes|used by {model})"
            ),
            (
                "I (don't|do not|no longer) (need|want|use) {model} (any more|anymore|on this <machine>|at all)(, "
                "<what>|, remove it|, delete it)"
            ),
            "(remove|delete|erase|rm|drop) (model |){model}",
            (
                "(remove model|delete model|rm model|erase model|deleting a model|removing models|uninstall model|"
                "models rm)"
            ),
            (
                "{model} (can|should|must|has to) (go away|be deleted|be removed|disappear|go) (for good|from the "
                "list|from disk)(, <what>|)"
            ),
            (
                "the disk is (full|almost full|getting full), (how do I delete a <model>|which command deletes a "
                "<model>|I want to delete a <model>)"
            ),
            "(which|what) command (removes|deletes|erases|forgets) (a <model>|{model}|models)",
            "<how> (make|let) the appliance forget ((the <model> |){model}|a <model>)",
            "I added (the wrong <model>|{model} by mistake), how do I (remove|delete) it",
        ),
    ),
    Topic(
        "models_load",
        "Run `appliance models load {model}`.",
        (
            "<how> load (the <model> |){model} (into <memory>|in advance|now|)",
            "<how> load (a|my|another|one|the|a certain) <model> (into <memory>|in advance|now|)",
            "<how> (bring|get|put|read|move) (the <model> |){model} into <memory>",
            "<how> (bring|get|put|read|move) (a|my|the) <model> into <memory>",
            "<how> (warm up|warm) ((the <model> |){model}|a <model>|the model) (before the first request|in advance|)",
            "<how> (get|have|make) {model} ready (for the first request|in <memory>|before anyone asks)",
            "(load|loading|load model|load the model) {model}",
            "(load model|load a model|loading models|load into memory|load model now|models load|warm up a model)",
            (
                "{model} (should|must|has to|needs to) be (loaded|in memory) (now|while the daemon runs|before the "
                "demo|)(, <what>|)"
            ),
            "{model} is not loaded (yet|), (<what>|how do I load it)",
            "the first (answer|request) (takes long|is slow) because {model} is not loaded(, <what>|)",
            "(which|what) command (loads|brings into memory) (a <model>|{model})",
            "(the daemon|the server) is running, (now|and) (load|I want to load|it should load) ({model}|a <model>)",
        ),
    ),
    Topic(
        "models_unload",
        "Run `appliance models unload {model}`.",
        (
            "<how> (unload|evict|offload|take out) (the <model> |){model} (from <memory>|)",
            "<how> (unload|evict) (a|my|the|one|another) <model> (from <memory>|)",
            (
                "<how> (free|release|clear|reclaim|get back|recover) (the <memory>|<memory>) (of|used by|that is "
                "used by|taken by|occupied by) ({model}|a <model>|the <model>)"
            ),
            "<how> (free|release|clear|reclaim|get back|recover) (the|some|) <memory> (again|of a loaded <model>|)",
            "<how> (take|remove|drop|get|throw|kick|move|push) ({model}|a <model>|the <model>) (out of|from) <memory>",
            (
                "{model} (takes|uses|eats|needs|occupies) (<memory>|too much <memory>) (and I don't need it now|but "
                "nobody uses it), (<what>|how do I free it)"
            ),
            "I (need|want) (the|) <memory> (of|that) {model} (takes|uses|) (back|)(, <what>|)",
            "(unload|unloading|unload model|evict) {model}",
            (
                "(unload model|unload|free memory|free RAM|free VRAM|evict model|release memory|models unload|take "
                "model out of memory)"
            ),
            (
                "{model} (should|must|has to) (leave|get out of|no longer be in) (the|) memory(, <what>| but stay "
                "installed|)"
            ),
            "(which|what) command (unloads|frees the memory of) (a <model>|{model})",
            "<how> (stop|end) keeping the (idle|unused) <model> {model} loaded",
            "(I am|we are) done with {model} for now, (how do I|can I) (unload it|free its memory)",
            "<how> make room in <memory>",
        ),
    ),
    Topic(
        "models_pin",
        "Run `appliance models pin {model}`. It then stays in memory until the daemon stops.",
        (
            (
                "<how> (keep|hold|leave|retain) (the <model> |){model} (in <memory>|loaded|resident) (all the time|"
                "always|forever|permanently|for good|)"
            ),
            (
                "<how> (keep|hold|leave|retain) (a|my|the|one) <model> (in <memory>|loaded|resident) (all the time|"
                "always|forever|permanently|)"
            ),
            "<how> pin ((the <model> |){model}|a <model>|my <model>) (in <memory>|to <memory>|)",
            (
                "<how> (prevent|stop|keep) (the <server>|it|the daemon) from (unloading|evicting|dropping|throwing "
                "out) ({model}|a <model>|my <model>)"
            ),
            (
                "<how> (make sure|ensure) (that|) ({model}|a <model>) (is never unloaded|stays loaded|stays in "
                "memory|is not evicted|always stays in <memory>)"
            ),
            "{model} (should|must|has to) (stay|remain|always be|be kept) (in memory|loaded)(, <what>|)",
            "{model} (must|should|may) (never|not) be (unloaded|evicted|dropped|thrown out)(, <what>|)",
            (
                "{model} (keeps being|is always|gets|is) (unloaded|evicted) (when idle|after a while|), (<what>|how "
                "do I keep it)"
            ),
            "(pin|pinning|pin model|keep loaded) {model}",
            "(pin model|pin a model|keep model in memory|keep loaded|never unload|pinning|models pin|do not evict)",
            "(which|what) command (keeps|holds) (a <model>|{model}) (in memory|loaded)",
            "(don't|do not|never) (unload|evict|drop) {model}",
            "<how> (lock|fix) {model} in <memory>",
        ),
    ),
    Topic(
        "models_unpin",
        "Run `appliance models pin --off {model}`. It may then be unloaded when it is idle.",
        (
            (
                "<how> (unpin|un-pin|release the pin of|remove the pin of|take the pin off|undo the pin of) (the "
                "<model> |){model}"
            ),
            "<how> (unpin|un-pin) (a|my|the|one|a pinned) <model>",
            (
                "<how> (undo|remove|cancel|reverse|take back|lift|drop) (a|the) (pin|pinning) (of ({model}|a "
                "<model>)|on ({model}|a <model>)|)"
            ),
            "<how> (stop|end|quit) (pinning|the pinning of) ({model}|a <model>|the <model>)",
            (
                "<how> (let|allow) (the <server>|it|the daemon) (unload|evict|drop) (the pinned <model> |){model} "
                "(again|when it is idle|)"
            ),
            "<how> let (a pinned <model>|the pinned {model}|{model}) (go|be unloaded) again (when idle|)",
            (
                "{model} (no longer has to|does not have to|need not|doesn't need to) (stay|be kept|remain) (in "
                "memory|loaded|pinned)(, <what>|)"
            ),
            (
                "{model} (is|was) pinned, (but it may go now|how do I undo that|how do I change that|and should not "
                "be any more|how do I let it go)"
            ),
            "(unpin|unpinning|pin off|remove pin) {model}",
            "(unpin model|unpin|remove pin|pin off|undo pin|stop pinning|let a pinned model go)",
            "I pinned ({model}|a <model>) (by mistake|yesterday|earlier), how do I (undo it|unpin it|take that back)",
            "(which|what) command (unpins|releases) (a <model>|{model}|a pinned model)",
            "<how> make (a pinned <model>|{model}) evictable again",
        ),
    ),
    Topic(
        "too_large",
        "Free memory with `appliance models unload NAME`, or use a smaller quantization such as Q4_K_M.",
        (
            (
                "(the|my|this|a) <model> (does not fit|doesn't fit|is too (big|large|heavy)|will not fit|won't fit) "
                "(into <memory>|in <memory>|for this <machine>|for my <machine>|)(, <what>|)"
            ),
            (
                "{model} (does not fit|doesn't fit|is too (big|large|heavy)|will not fit|won't fit) (into <memory>|"
                "in <memory>|for this <machine>|)(, <what>|)"
            ),
            (
                "(out of memory|not enough memory|insufficient memory|memory exhausted|OOM|out of VRAM) (when "
                "loading|while loading|for) ({model}|a <model>|my <model>)(, <what>|)"
            ),
            (
                "I (am|run|ran|keep running) out of (memory|RAM|VRAM) (when I load|while loading|with) (a <model>|"
                "{model})(, <what>|)"
            ),
            (
                "(there is|I have|the <machine> has|it says there is) (not enough|too little) (memory|RAM|VRAM) (for|"
                "to load) ({model}|a <model>|the <model>|my <model>)(, <what>|)"
            ),
            (
                "(loading|to load) ({model}|my <model>) (fails|failed) (for lack of memory|because of memory|with "
                "out of memory|since memory is short)(, <what>|)"
            ),
            (
                "(out of memory|model too large|model too big|does not fit|not enough memory|OOM error|insufficient "
                "memory)"
            ),
            (
                "<how> (run|use|load|fit) a <model> that is (too big|too large|larger than my <memory>|bigger than "
                "the <memory>)"
            ),
            (
                "what (can|should|do) I do (if|when) (a|the) <model> (is too (large|big)|does not fit|needs more "
                "memory than I have)"
            ),
            (
                "why (can't|cannot) (it|the <server>) load {model}, (it says too large|memory is short|it says not "
                "enough memory)"
            ),
            "the <model> needs more (memory|RAM|VRAM) than (I have|there is|this <machine> has)(, <what>|)",
            (
                "(it refuses|the <server> refuses) to load ({model}|a <model>): (too large|not enough memory|out of "
                "memory)"
            ),
        ),
    ),
)
