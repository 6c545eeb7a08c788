"""English questions about making models: conversion, quantization, the jobs that do it, and vectors."""

from .topic import Topic

TOPICS = (
    Topic(
        "convert",
        "Run `appliance models convert {folder}`. It is made smaller, and compared with the original.",
        (
            (
                "<how> (convert|turn|transform|change) (a|my|the|this) (Hugging Face|huggingface|HF|safetensors|"
                "PyTorch|"
                "pytorch|transformers) (model|folder|checkpoint|download)(| to ONNX| into ONNX| into a model for the "
                "appliance)"
            ),
            "<how> (convert|export|port) (a|my|the|this) <model> to (ONNX|onnx|the ONNX format|onnxruntime)",
            "<how> (convert|turn|export) {folder}(| to ONNX| into a model| for the appliance)",
            "(convert|export) {folder}(| to ONNX| please)",
            (
                "I (have|got|downloaded|saved) (a|the) (safetensors|PyTorch|Hugging Face|huggingface) (model|folder|"
                "checkpoint)( in {folder}|), (<what>|how do I use it here|how do I get it in)"
            ),
            "(can|could) (it|I|the appliance|you) (use|run|serve|read|take) (safetensors|PyTorch weights|HF models)",
            (
                "(my|the|our) (<model>|weights|checkpoint) (is|are) (in safetensors|in PyTorch format|no GGUF|"
                "not a GGUF"
                "|a folder with config.json), <what>"
            ),
            (
                "(convert model|safetensors|convert safetensors|hugging face folder|onnx conversion|models convert|"
                "export to onnx|pytorch to onnx|conversion)"
            ),
            "{folder} (holds|contains|has) (safetensors|a Hugging Face model|my fine-tuned model), <what>",
            "I (trained|fine-tuned|finetuned) (a|my own) <model>(| with transformers| in PyTorch), <what>",
            "(which|what) command (converts|exports|turns) (a|my) (Hugging Face|safetensors|PyTorch|HF) (model|folder)",
            "<how> make (a|an) (ONNX|onnx) model (of|from|out of) (a|my|the) (folder|checkpoint|download|{folder})",
        ),
    ),
    Topic(
        "quantize",
        "Run `appliance models quantize {model} --to int4`. It is only kept when it loses little.",
        (
            "<how> (quantize|quantise|compress|shrink) (a|my|the|this|an ONNX) <model>(| to int4| to 4 bits)",
            "<how> (quantize|quantise|compress|shrink) {model}(| to int4| to 4 bits)",
            "<how> make (a|my|the) <model> (smaller|faster|lighter|use less <memory>|take less space|int4|4 bit)",
            "<how> make {model} (smaller|lighter|use less <memory>|take less space|int4|4 bit)",
            "(quantize|quantise|shrink|compress) {model}(| to int4| please)",
            (
                "<how> (get|produce|create|make) (a|an) (int4|4-bit|4 bit|quantized|smaller) (version|copy|variant) "
                "of {model}"
            ),
            (
                "(quantization|quantize|int4|4 bit|4-bit|quantize model|models quantize|compress model|shrink model|"
                "weight quantization|smaller weights)"
            ),
            "(can|could) (it|you|the appliance|I) (quantize|quantise|compress) (models|<models>|a model|my model)",
            "(which|what) command (quantizes|compresses|shrinks) (a <model>|<models>|{model})",
            (
                "{model} (needs|takes|uses) (too much|so much) <memory>, can (it|I) (be made smaller|shrink it|"
                "quantize it)"
            ),
            "<how> reduce the (precision|bits|size of the weights|weight size) of (a <model>|my <model>|{model})",
        ),
    ),
    Topic(
        "quantize_int8",
        "Run `appliance models quantize {model} --to int8`.",
        (
            "<how> (quantize|quantise|compress|convert) (a|my|the|this) <model> to (int8|8 bits|8 bit|eight bits)",
            "<how> (quantize|quantise|compress|convert) {model} to (int8|8 bits|8 bit|eight bits)",
            "(quantize|quantise|compress) {model} to (int8|8 bits|8 bit)",
            "<how> (get|make|produce|create) (a|an) (int8|8-bit|8 bit|eight bit) (version|copy|variant) of {model}",
            "<how> (get|make|produce|create) (a|an) (int8|8-bit|8 bit|eight bit) (version of my <model>|<model>)",
            "(int8|8 bit|8-bit|int8 quantization|8 bit weights|eight bit model|quantize to int8)",
            "4 bits (lose|loses) too much(| quality), <how> use (8 bits|int8)",
            "int4 is (too bad|not good enough|too lossy), (I want|give me|how do I get) (int8|8 bits)",
        ),
    ),
    Topic(
        "jobs_list",
        "Run `appliance jobs list`.",
        (
            "<how> <show> (all|the|my|all the|running|every) jobs",
            (
                "(which|what) (jobs|conversions|long tasks|background jobs) (are running|are there|are waiting|are "
                "going on)"
            ),
            "(is|are) (a|any|the) (conversion|conversions|quantization|job|jobs) (running|still running|done|finished)",
            (
                "<how> (check|see|find out|know) (how far|whether) (the|my|a) (conversion|quantization|job) (is|"
                "is done|"
                "has finished|got)"
            ),
            "<how> see the (progress|state|status) of (the|my|a) (conversion|quantization|job|jobs)",
            "(jobs|job list|list jobs|running jobs|jobs list|background jobs|show jobs|conversion status|job progress)",
            "(I started|I have started|I began) (a|the) (conversion|quantization), (how far is it|is it done|<what>)",
            "what (is|happens) in the background <now>",
        ),
    ),
    Topic(
        "jobs_follow",
        "Run `appliance jobs follow JOB`. `appliance jobs list` names them.",
        (
            "<how> (follow|watch|track|tail|observe) (a|the|my) (job|conversion|quantization)(| until the end| live)",
            "(follow|watch|track) (a|the|my) (job|conversion|quantization)",
            (
                "I (closed|lost) (the|my) <terminal> (during|in) (a|the) (conversion|job), <how> (follow it again|"
                "watch it)"
            ),
            "(follow job|watch job|jobs follow|track conversion|live job progress|job output)",
            "<how> (wait|stay) (for|with) (a|the|my) (job|conversion) (until it ends|to end|to finish)",
        ),
    ),
    Topic(
        "jobs_cancel",
        "Run `appliance jobs cancel JOB`. `appliance jobs list` names them.",
        (
            "<how> (cancel|abort|stop|kill|give up|interrupt|end) (a|the|my|this|that) (job|conversion|quantization)",
            "(cancel|abort|stop|kill) (a|the|my|this|that) (job|conversion|quantization|running job)",
            (
                "(the|my) (conversion|quantization|job) (takes too long|hangs|is wrong|was a mistake), <how> (stop|"
                "cancel) it"
            ),
            "(cancel job|stop job|abort conversion|kill job|jobs cancel|stop a job|cancel conversion)",
            "I (started|began) the wrong (conversion|job|quantization), <what>",
        ),
    ),
    Topic(
        "jobs_pause",
        "Run `appliance jobs pause JOB`, and later `appliance jobs resume JOB`.",
        (
            "<how> (pause|halt|suspend|hold) (a|the|my|this) (job|conversion|quantization)(| for a while| until "
            "tonight)",
            "(pause|halt|suspend) (a|the|my|this) (job|conversion|quantization)",
            "(the|my) (job|conversion) (slows everything|disturbs the chat|is in the way), <how> (pause|halt) it",
            "(pause job|suspend job|jobs pause|halt conversion|job pause and resume|resume job)",
            "<how> (resume|continue) (a|the|my) (paused|halted|suspended) (job|conversion|quantization)",
        ),
    ),
    Topic(
        "embeddings",
        "Send texts to POST /v1/embeddings with an embedding model's name; `appliance models list` names the models.",
        (
            "<how> (get|compute|calculate|make|create|produce) (embeddings|vectors|text embeddings|an embedding)",
            "<how> (turn|convert) (text|texts|sentences|documents) into (vectors|embeddings|numbers)",
            (
                "(does|can) (it|the appliance|the <server>) (do|support|make|compute|offer) (embeddings|text "
                "embeddings|vectors)"
            ),
            "(embeddings|embedding|vectors|text embeddings|embedding api|embedding endpoint|v1/embeddings|RAG vectors)",
            "(which|what) endpoint (gives|returns|makes|computes) (embeddings|vectors)",
            (
                "I (need|want) (embeddings|vectors) for (search|RAG|my documents|semantic search|a vector "
                "database)(, <what>|)"
            ),
            "is there an (embedding|embeddings) (endpoint|API)",
        ),
    ),
    Topic(
        "rerank",
        "Send query and documents to POST /v1/rerank with a reranker's name.",
        (
            "<how> (rerank|re-rank|sort by relevance|rank) (documents|search results|passages|hits|results)",
            "(does|can) (it|the appliance|the <server>) (do|support|offer) (reranking|rerank|re-ranking|a reranker)",
            "(rerank|reranker|reranking|rerank api|v1/rerank|rank documents|rerank endpoint)",
            "(which|what) endpoint (reranks|ranks|sorts) (documents|passages|results)",
            "I (need|want) to (rerank|rank|order) (documents|passages|hits) (for|by) (a|the) query(, <what>|)",
            "is there a (rerank|reranking|reranker) (endpoint|API)",
        ),
    ),
)
