"""English questions about keys and settings."""

from .topic import Topic

TOPICS = (
    Topic(
        "keys_create",
        "Run `appliance keys create {key}`. The key is shown once.",
        (
            "<how> <make> (a|a new|another|an) <key> (for|named|called|with the name|by the name of) {key}",
            (
                "<how> <make> (a|a new|another|an) <key> (for (a user|an app|a colleague|my app|a client|somebody|a "
                "program|my editor)|)"
            ),
            "<how> (give|grant) {key} (access|a <key>|access to the models|a <key> of its own)",
            (
                "<how> (give|grant) (a colleague|somebody|an app|another user|my friend|a program|a client) (access|"
                "a <key>|access to the models)"
            ),
            "<how> let {key} (use|ask|query) (the <server>|the models|it) with a <key>",
            (
                "{key} (needs|wants|should have|should get|must have|asks for|requires) (a|an|its own|a new) <key>(, "
                "<what>|)"
            ),
            (
                "(my (app|script|colleague|program|editor|client)|a user|someone) (needs|wants|should have|asks for) "
                "(a|a new) <key>(, <what>|)"
            ),
            "I (need|want|require) (a|a new|another|one more) <key> (for {key}|called {key}|named {key}|)(, <what>|)",
            "(new|create|make|add|generate|issue) (key|API key|token) (for |named |called |){key}",
            (
                "(create key|new key|new API key|make a key|api key|generate token|add key|issue a key|get an api "
                "key|keys create)"
            ),
            "where do I get (a|an|my) <key>",
            "(which|what) command (makes|creates|issues|generates) (a <key>|keys|an API key)",
            (
                "(I lost|somebody lost|I forgot) (my|the|a) <key>, (how do I make a new one|how do I get a new one|I "
                "need a new one)"
            ),
            "<how> (protect|secure|lock) the <server> with (a <key>|<keys>)",
            (
                "<how> (require|demand|ask for) (a <key>|<keys>|authentication|a password) (from every caller|for "
                "requests|)"
            ),
        ),
    ),
    Topic(
        "keys_operate",
        "Run `appliance keys create {key} --scope operate`. It may also load and unload models.",
        (
            (
                "<how> <make> (a|a new|an) <key> (for {key}|named {key}|called {key}|) (that|which) (may|can|is "
                "allowed to|is able to) (<operate>)"
            ),
            "<how> (let|allow) {key} (to|) (<operate>) (with a <key>|by a key|)",
            "<how> (give|grant|issue) {key} a <key> (that|which) (may|can) (<operate>)",
            (
                "<how> (give|grant|issue) (a script|an app|my colleague|a program|somebody) a <key> (to|that can|"
                "that may) (<operate>)"
            ),
            (
                "{key} (needs|wants|should have|must have) a <key> (to|that can|that may|that is allowed to) "
                "(<operate>)(, <what>|)"
            ),
            "I (need|want) a <key> (for {key} |)(that|which) (can|may) (<operate>)(, <what>|)",
            (
                "(operate key|operator key|key with scope operate|operate scope|key that can load models|key to load "
                "models|operator token)"
            ),
            "<how> <make> (a|an) (operate|operator|operating) <key> (for {key}|named {key}|called {key}|)",
            (
                "(a|an|my|the) (script|app|program|deployment) (should|must|has to) (<operate>) with (a|its) <key>(, "
                "<what>|)"
            ),
            "(which|what) scope (may|can|is needed to|allows to) (<operate>)",
            "(new|create) <key> (for |){key} with (the|) (scope operate|operate scope|operate rights|operator rights)",
            "the <key> of {key} (must|should) (also|be able to|be allowed to) (<operate>), not only ask",
        ),
    ),
    Topic(
        "keys_admin",
        "Run `appliance keys create {key} --scope admin`. It may do everything.",
        (
            (
                "<how> <make> (a|a new|an) <key> (for {key}|named {key}|called {key}|) (that|which) (may|can|is "
                "allowed to) (<admin>)"
            ),
            (
                "<how> <make> (an|a new) (admin|administrator|admin-level|root|superuser|master) <key> (for {key}|"
                "named {key}|called {key}|)"
            ),
            "<how> (give|grant) {key} (<rights>)",
            "<how> (give|grant) (a colleague|a script|another user|somebody|my friend|a program) (<rights>)",
            "<how> (let|allow) {key} (to|) (<admin>)",
            "{key} (needs|wants|should have|must have|should get) (<rights>)(, <what>|)",
            "I (need|want) a <key> (for {key} |)(that|which) (can|may) (<admin>)(, <what>|)",
            "I (need|want) (an|a new) (admin|administrator|master) <key> (for {key}|named {key}|)(, <what>|)",
            (
                "(admin key|administrator key|key with all rights|admin token|admin scope|master key|full access key|"
                "root key)"
            ),
            "(new|create|make) (an|) admin (key|token) (for |named |){key}",
            "(new|create) <key> (for |){key} with (the|) (scope admin|admin scope|all rights|full rights|admin rights)",
            "(which|what) scope (may|can|allows to) (<admin>)",
            "<how> (manage|administer|control) the <server> from (another machine|remote|elsewhere) with a <key>",
        ),
    ),
    Topic(
        "keys_list",
        "Run `appliance keys list`.",
        (
            (
                "(what|which) <keys> (are there|exist|do I have|have I made|were made|have been created|are valid|"
                "did I create|are in use)"
            ),
            "<how> <show> (all|all the|the|my|every|existing) <keys>",
            "<how> <show> (which|what) <keys> (there are|exist|I made|I have|are valid|have been made)",
            "<how> get (a|the) (list|overview|table) of (all|the|my|) <keys>",
            "(list|show|display|print|enumerate|view) (all|my|the|existing|) <keys>",
            "(keys|list keys|key list|api keys|my keys|show tokens|all keys|keys list|existing keys|list of keys)",
            "who (has|owns|holds|got) (a <key>|access|<keys>)",
            "how many <keys> (are there|exist|have I made|did I create)",
            "<how> <show> (the scopes|the scope|the rights|what scope each has) of (the|my|all) <keys>",
            "(does|is there) (a <key> for {key}|{key} have a <key>) (already|yet|)",
            "(which|what) command (lists|shows) (the|all|my) <keys>",
            "(I forgot|I don't remember|I no longer know) (which|what) <keys> (I made|exist|I gave out|there are)",
            "<how> (see|check|find out) who (has|may have) access",
            "(what|which) (scope|rights) (does|has) the <key> (of|for) {key}( have|)",
        ),
    ),
    Topic(
        "keys_revoke",
        "Run `appliance keys revoke {key}`.",
        (
            "<how> <revoke> (the|) <key> (of|for|named|called|from|belonging to) {key}",
            "<how> <revoke> (a|an|my|the|one|some|a leaked|a lost|a stolen|an old) <key>",
            "<how> <revoke> {key}'s <key>",
            "<how> (take|withdraw|remove) (the access|access|the <key>) (away|) (from|of) {key}",
            "<how> (lock out|shut out|block|lock|bar) (the <key> |the holder of the <key> |){key}",
            "<how> (stop|prevent|keep) {key} from (using|asking|reaching|accessing) (the <server>|the models|it)",
            (
                "{key} (should|must|may) (no longer|not) (have access|use the <server>|have a <key>|get in)(, <what>|"
                " any more|)"
            ),
            (
                "the <key> (of|for|named) {key} (was (stolen|leaked|lost|published)|leaked|is no longer needed|got "
                "out|is compromised|must go)(, <what>|)"
            ),
            (
                "(my|a|the|our) <key> (was (stolen|leaked|published|compromised)|leaked|got out|is on github|is "
                "compromised|is no longer needed)(, <what>|)"
            ),
            "(revoke|delete|remove|disable|invalidate) (key|token|API key) {key}",
            (
                "(revoke key|delete key|remove key|disable key|invalidate token|delete api key|keys revoke|key "
                "leaked|cancel key)"
            ),
            "(which|what) command (revokes|deletes|disables|invalidates) (a <key>|an API key|the <key> {key})",
            (
                "{key} (left|has left|is gone|left the company|no longer works here), (so|and|) (<revoke>) (his|her|"
                "the|their) <key>"
            ),
            "I (made|created|have) (a <key>|the <key> {key}) by mistake, how do I (revoke|delete|remove) it",
        ),
    ),
    Topic(
        "config_show",
        "Run `appliance config show`. It prints every setting and where it came from.",
        (
            (
                "<how> <show> (the|all|all the|my|the current|the active|every|the effective) (settings|"
                "configuration|config|options|preferences|setup values)"
            ),
            (
                "(what|which) (are the|settings are|values are|configuration is|options are) (settings|in force|in "
                "use|active|set|in effect) (<now>|)"
            ),
            (
                "(which|what) (settings|configuration|options|values) (does the <server> use|are in force|apply|are "
                "in effect|is active|have I set)"
            ),
            "where (does|did|do) (a|the|this|my) (value|setting|settings|values|option) come from",
            "<how> <show> where (a|the|this) (setting|value|option) (comes from|came from|was set|is set)",
            (
                "<how> (check|verify|see) (if|whether) (my|a) (setting|settings file|environment variable|change|"
                "option) (is used|was read|took effect|is in force|has an effect)"
            ),
            (
                "(config|settings|show config|show settings|config show|current configuration|list settings|print "
                "config|view settings|effective settings)"
            ),
            "(which|what) (command|) (prints|shows|lists) (the|all|my|) (settings|configuration|config)",
            (
                "what is the (value of|) (max_waiting|keep_alive_s|log level|drain timeout|server.port|"
                "context_tokens|memory_reserve_ratio) (set to|)"
            ),
            (
                "is (log.level|server.port|keep_alive_s|max_waiting|engine.threads|the log level) (set|at its "
                "default) (anywhere|)"
            ),
            "(which|what) settings (can I set|can be changed|are there|exist|does it have)",
        ),
    ),
    Topic(
        "config_change",
        (
            "Write it in appliance.toml in the state folder and restart the daemon; `appliance config show` names "
            "the file."
        ),
        (
            (
                "<how> <set> (a|the|some|one|my|any) (setting|settings|configuration|config|config value|option|"
                "options|preferences)"
            ),
            (
                "<how> <set> (the|) (log level|drain timeout|context length|number of threads|queue length|load "
                "timeout|memory reserve|body limit|max_waiting|engine.threads|allowed origins|allowed hosts)"
            ),
            ("<how> (configure|customize|customise) (the <server>|it|this) (to my needs|permanently|differently|)"),
            (
                "<how> make (a setting|a change|my settings|a configuration change) (permanent|last|stick|survive a "
                "restart)"
            ),
            (
                "where (do|can|should) I (write|put|change|set|edit|enter|store) (my|the|a) (settings|setting|"
                "configuration|options|config)"
            ),
            "(where|in which file) (is|lies|do I find) the (settings|config|configuration) file",
            "(which|what) file (holds|has|contains|keeps) (the|my) (settings|configuration|options)",
            (
                "(change setting|change settings|edit config|set option|configure|modify configuration|change config|"
                "edit settings|set log level)"
            ),
            (
                "I (want|need|would like) (a different|another|a higher|a lower) (log level|timeout|context length|"
                "limit|number of threads|setting)(, <what>|)"
            ),
            (
                "<how> (raise|lower|increase|reduce|limit|decrease) the (log level|timeout|number of threads|number "
                "of waiting requests|context length|memory reserve|body size)"
            ),
            "<how> (turn on|enable|switch on) (debug logging|debug logs|verbose logging|debug messages in the log)",
            "my (setting|change|new setting) (has|shows|had) no effect, where (must|do) I (write|put) it",
            "(is there|does it have|does it use) a (settings|config|configuration) file (I can edit|to edit|)",
        ),
    ),
    Topic(
        "default_model",
        "Set default_model under [models] in appliance.toml and restart the daemon.",
        (
            "<how> <set> the default <model> (for good|permanently|forever|)",
            (
                "<how> (make|declare|choose|pick|use|set) (the <model> |){model} (the|as the|as|as my) default( "
                "<model>|) (for good|permanently|)"
            ),
            "<how> (make|choose|pick|select|define) (another|a different|a|my own) default <model>",
            "<how> (make|declare) (another|a different|my) <model> the (default|standard|one that answers by default)",
            "(which|what) setting (chooses|sets|names|is for) the default <model>",
            "(which|what) <model> answers (when|if) (none|no model) is (named|given|chosen)(, and how do I change it|)",
            "(default model|change default model|set default model|default_model|make default|permanent default model)",
            "{model} (should|must) (always |)(be|become) (the|my) default( <model>| for good|)(, <what>|)",
            (
                "(always|by default) (use|ask|answer with) {model} (when no model is named|if none is named|without "
                "naming it)"
            ),
            "I (don't|do not) want guide (to be|as) the default( <model>|)(, <what>|)",
            "instead of guide (another|a different) <model> should (answer by default|be the default)(, <what>|)",
            "where (do|can) I (set|change|write|configure) the default <model>",
        ),
    ),
    Topic(
        "keep_alive",
        "30 minutes after its last request. Change keep_alive_s under [scheduler] in appliance.toml.",
        (
            (
                "how long (does|will) (a|the|an idle|an unused|my) <model> (stay|remain|be kept|live|be) (in "
                "<memory>|loaded|resident|)"
            ),
            (
                "(when|after what time|after how long|after how many minutes) is (a|the|an idle|an unused) <model> "
                "(unloaded|evicted|dropped|thrown out) (automatically|by itself|)"
            ),
            "<how> <set> (how long|the time that) (a|an idle|the) <model> (stays|is kept|remains) (in <memory>|loaded)",
            (
                "<how> <set> (the|) (keep-alive|keep alive|keep_alive|keepalive|idle time|idle timeout|unload "
                "timeout|keep-alive time)"
            ),
            (
                "(does|will) (a|an idle|the) <model> (leave memory|unload itself|get unloaded|be unloaded) (by "
                "itself|automatically|after a while|when nobody asks)"
            ),
            "(keep alive|keep_alive|idle timeout|idle time|unload timeout|keep-alive|model timeout|auto unload)",
            (
                "(which|what) setting (says|controls|sets|decides) (how long|when) (a|an idle) <model> (stays loaded|"
                "is unloaded|stays in memory)"
            ),
            "<models> (are|get) unloaded too (early|soon|late|quickly) (in general|when idle|), which setting is that",
            (
                "what (happens|is done) with (a|an idle) <model> (that|when) nobody (asks|uses) (it|) (for a while|"
                "for an hour|)"
            ),
            "I want <models> to stay (longer|shorter|for an hour|for ten minutes) in <memory> when idle",
        ),
    ),
)
