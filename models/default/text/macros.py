"""English patterns that many topics share: how a question begins, and what things are called."""

# Stands before a verb: "<how> load a model". The empty choice makes it an order.
_HOW = (
    "(|||please |<q>|<q>|<q>|<q>|<need>|<need>|(can|could|would) you (please|) (tell me|show me|explain|explain to me) "
    "how (to|I can|one can|I)|(please|) (tell|show) me how (to|I can)|(please|) explain how (to|I)|help me (to|)|"
    "(can|could) you (please|)|is there (a|any) (way|command|option|possibility|method|trick) to|is it possible to|"
    "(can|may|could) I|am I able to|let me|let's|any (way|chance|idea how) to|any idea how (to|I can)|"
    "I (don't|do not) know how to|I (can't|cannot) (figure out|find out|work out|remember|find) how to|"
    "show me the command to|give me the command (to|that will)|remind me how to|teach me how to|"
    "(looking for|searching for) (a|the) (way|command) to)"
)
_Q = (
    "(how (do|do|can|could|would|should|must) (I|I|I|we|you|one)|how to|how to|how might (I|one)|how does one|"
    "(what is|what's|whats) the (best|right|correct|easiest|quickest|proper|usual|) (way|command|procedure) to|"
    "(which|what) command (do I need|do I use|should I use|can I use|must I run|do I run|is there|) to|"
    "which command will|"
    "what (do|should|must|can) I (type|run|enter|do|execute|write|need to type|have to run|use) (in order|) to|"
    "what (is needed|is necessary|does it take) to|where (can|do) I|how am I supposed to|how would I go about it to)"
)
_NEED = (
    "(I (want|need|would like|wish|have|'d like|like|intend|plan) to|I'd like to|I (really|just|only) (want|need) to|"
    "(need|want|trying|have|wanting) to|we (want|need|have) to|I('m| am) trying to|I must|I should|we would like to|"
    "my (boss|colleague|friend|team) wants (me|us) to|it is time to|I have been asked to|next I want to)"
)
MACROS = {
    "how": _HOW,
    "q": _Q,
    "need": _NEED,
    # Stands after a situation: "the disk is full, <what>".
    "what": (
        "(what (now|next|do I run|do I do|should I do|should I run|should I type|is the command|can I do|do I need)|"
        "how|how do I do (that|this|it)|which command (is it|do I use|helps|is right|)|"
        "what is the command for (that|this)|"
        "how can I do (that|this)|what should I enter|how to do (that|this|it)|(any|) help|what to do)"
    ),
    "server": (
        "(server|server|daemon|appliance|service|LLM server|AI server|API server|API|background service|"
        "appliance server|appliance daemon|backend|local server)"
    ),
    "model": "(model|model|model|LLM|language model|AI model|AI|neural net|LM)",
    "models": "(models|models|models|LLMs|language models|AI models|AIs)",
    "key": "(key|key|API key|token|access key|access token|api key|API token|credential|access credential|secret)",
    "keys": "(keys|keys|API keys|tokens|access keys|access tokens|api keys|API tokens|credentials)",
    "memory": "(memory|memory|RAM|VRAM|GPU memory|main memory|video memory|the machine's memory)",
    "machine": "(machine|computer|PC|box|host|system|device|laptop|workstation|board)",
    "show": "(show|list|see|view|display|print|look at|get|inspect|check|find out|output)",
    "remove": "(remove|delete|erase|drop|get rid of|throw away|discard|wipe|purge|scrap|uninstall|forget|clean out)",
    "start": "(start|run|launch|bring up|boot|fire up|spin up|start up|kick off|turn on|get going|switch on)",
    "set": "(set|change|modify|adjust|edit|alter|configure|tweak|override)",
    "terminal": "(terminal|shell|command line|console|bash|CLI|prompt)",
    "now": "(now|right now|at the moment|currently|at present|presently|this moment)",
    "thegguf": "(GGUF file|GGUF|gguf|.gguf file|gguf file|model file|weights file|GGUF model|downloaded model)",
    "other": (
        "another <machine>|other machines|a different <machine>|other computers|my phone|my laptop|outside|elsewhere|"
        "my tablet|the office|other devices|a second <machine>|the next room|my desktop|home|my other <machine>"
    ),
    "others": (
        "others|other machines|my colleagues|my team|other people|everyone|other devices|colleagues|my friends|"
        "other computers|people on my network|the whole office|other users|my family|another <machine>|clients"
    ),
    "net": (
        "(the network|my network|the LAN|the local network|the home network|wifi|our network|the company network|"
        "ethernet|the intranet|the office network|the wire)"
    ),
    "cfg": (
        "((another|a different|my own|a custom|an alternative|a separate|some other) "
        "(settings|config|configuration|toml|TOML) file|(the|the (settings|config|configuration) file|) {config})"
    ),
    "add": "(add|add|import|register|install|adopt|include|bring in|set up|introduce|integrate|onboard)",
    "sys": "system prompt|system message|instructions|instruction|system text|custom instructions|prompt",
    "doc": (
        "file|text file|document|log|log file|text|PDF text|report|README|source file|transcript|letter|long text|"
        "markdown file|CSV file|list of lines|git diff|patch|mail|manual"
    ),
    "facts": (
        "details|information|info|metadata|properties|size|context length|parameters|architecture|quantization|"
        "facts|specs|specification|context window|number of parameters|path|file|template|attributes"
    ),
    "make": "(make|create|add|generate|issue|get|produce|set up|register|hand out|mint)",
    "revoke": (
        "(revoke|delete|remove|invalidate|disable|cancel|withdraw|kill|drop|destroy|void|deactivate|get rid of|"
        "take back|block)"
    ),
    "operate": (
        "load models|load and unload models|unload models|load or unload models|operate the <server>|operate|"
        "pin models|manage what is in memory|control which models are loaded"
    ),
    "admin": (
        "do everything|do anything|administer (the <server>|everything)|manage keys|manage everything|do all|"
        "make other keys|create keys|change everything|run admin commands|use the admin API|add and remove models"
    ),
    "rights": (
        "admin rights|full access|administrator rights|all rights|full rights|admin access|full control|"
        "all permissions|an admin <key>|complete access|unlimited access|every permission|superuser rights"
    ),
}
