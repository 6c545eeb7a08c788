"""Questions about making models, the jobs that do it, and vectors, in Chinese."""

from .frames_zh import say
from .topic import Topic

TOPICS = (
    Topic(
        "convert",
        "运行 `appliance models convert {folder}`。",
        (
            *say(
                (
                    "(把|将)(一个|我的|这个|)( Hugging Face | HF | safetensors | PyTorch |huggingface )(模型|"
                    "文件夹|权重|目录)"
                    "(转换|转成 ONNX|转换成 ONNX|转为 onnx|转过来)"
                ),
                "(转换|导出)( Hugging Face | safetensors | PyTorch |)(<模型>|权重)(到 ONNX|成 ONNX|)",
                "(把|将) {folder} (转换成|转成|导出为|变成)( ONNX|模型| onnx 模型)",
                "(使用|用|导入)( safetensors | PyTorch | Hugging Face )(格式的|)(模型|权重|文件夹)",
                "(转换|导出) {folder}( 里的模型|)",
            ),
            (
                "(我|)(下载|训练|微调)了(一个|)( Hugging Face | safetensors |自己的|)(模型|文件夹)(，在 {folder}|"
                ")，怎么(用|转换|导入)<何>"
            ),
            "(模型转换|转换模型|safetensors|转 ONNX|onnx 转换|HF 模型|models convert|safetensors 转换|导出 onnx)",
            "(支持|能用|可以用) (safetensors|PyTorch 权重|Hugging Face 模型|HF 文件夹)<吗>",
            "(权重|模型)是 (safetensors|PyTorch) (格式|)的，(怎么办|怎么用|怎么转换)<何>",
        ),
    ),
    Topic(
        "quantize",
        "运行 `appliance models quantize {model} --to int4`；损失太大时不会保留。",
        (
            *say(
                "(量化|压缩)(一个|我的|这个|)<模型>(到 4 位|成 int4|)",
                "(把|将)<模型>(量化|压缩|量化成 int4|压缩到 4 位|变小)",
                "(把|将)<某模型>{model} (量化|压缩|量化成 int4|压缩到 4 位|变小)",
                "(量化|压缩)<某模型>{model}( 到 4 位| 成 int4|)",
                "(让|使)<模型>(更小|变小|占更少<内存>|省<内存>|少占空间)",
                "(得到|生成|制作)<某模型>{model} 的 (int4|4 位|4bit|量化)(版本|版)",
            ),
            "(量化|模型量化|int4|4 位量化|4bit|量化模型|压缩模型|models quantize|int4 量化)",
            "(支持|能做|可以做|有)(量化|模型量化|int4 量化|4 位量化)<吗>",
            "{model} (太占<内存>|占内存太多|太大了)，能(量化|压缩|变小)<吗>",
        ),
    ),
    Topic(
        "quantize_int8",
        "运行 `appliance models quantize {model} --to int8`。",
        (
            *say(
                "(把|将)<模型>(量化|压缩|转换)(成|到|为)( int8| 8 位| 8bit|八位)",
                "(把|将)<某模型>{model} (量化|压缩|转换)(成|到|为)( int8| 8 位| 8bit|八位)",
                "(得到|生成|制作)<某模型>{model} 的 (int8|8 位|8bit|八位)(版本|版)",
                "(用|做)( int8| 8 位|八位)量化",
            ),
            "(int8|8 位量化|8bit|int8 量化|八位量化|8 位权重)",
            "(4 位|int4)(损失太大|质量太差|不够好)，(怎么用|我要|想用)( 8 位| int8|八位)<何>",
        ),
    ),
    Topic(
        "jobs_list",
        "运行 `appliance jobs list`。",
        (
            *say(
                "<列>(所有|全部|正在运行的|后台的|)(任务|作业|后台任务| jobs)",
                "<看>(转换|量化|任务|作业)(的|)(进度|状态|进行到哪了|完成没有)",
                "<看>后台(在做什么|有什么任务|正在跑什么)",
            ),
            "(有|现在有|后台有)<哪些>(任务|作业|转换任务|后台任务)<何>",
            "(转换|量化|任务)(完成|结束|做完|好)了<吗>",
            "(任务|作业|任务列表|jobs|转换进度|量化进度|后台任务|任务状态)",
            "(我|)(开始了|启动了)(一个|)(转换|量化)，(进度怎么看|怎么看进度|到哪了)<何>",
        ),
    ),
    Topic(
        "jobs_follow",
        "运行 `appliance jobs follow JOB`；`appliance jobs list` 列出任务。",
        (
            *say(
                "(跟踪|跟随|实时查看|盯着|持续查看)(一个|这个|我的|)(任务|作业|转换|量化)",
                "(一直|)(看着|等着)(任务|作业|转换)(直到|到)(结束|完成)",
            ),
            "(跟踪任务|跟随任务|jobs follow|实时进度|盯任务|任务实时进度)",
            "(终端|命令行)关了，(转换|任务)还在跑，怎么(继续看|再看进度|接着看)<何>",
        ),
    ),
    Topic(
        "jobs_cancel",
        "运行 `appliance jobs cancel JOB`；`appliance jobs list` 列出任务。",
        (
            *say("(取消|中止|终止|停止|放弃|结束|杀掉)(一个|这个|我的|)(任务|作业|转换|量化|转换任务|后台任务)"),
            "(取消任务|停止任务|中止转换|jobs cancel|放弃任务|取消转换|取消量化)",
            "(转换|量化|任务)(太慢|卡住|弄错|不想要)了，怎么(取消|停掉|停止)<何>",
        ),
    ),
    Topic(
        "jobs_pause",
        "运行 `appliance jobs pause JOB`，之后用 `appliance jobs resume JOB` 继续。",
        (
            *say(
                "(暂停|挂起|先停一下)(一个|这个|我的|)(任务|作业|转换|量化)",
                "(恢复|继续)(暂停的|挂起的|)(任务|作业|转换|量化)",
            ),
            "(暂停任务|恢复任务|jobs pause|继续任务|暂停转换|挂起任务)",
            "(转换|任务)(太占 CPU|影响聊天|拖慢机器)，怎么(暂停|先停一下)<何>",
        ),
    ),
    Topic(
        "embeddings",
        "把文本发到 POST /v1/embeddings，并给出嵌入模型的名字；`appliance models list` 列出模型。",
        (
            *say(
                "(得到|计算|生成|获取|算)(文本|句子|)(向量|嵌入|嵌入向量| embedding| embeddings)",
                "(把|将)(文本|句子|文档|文字)(变成|转成|转换为)(向量|嵌入| embedding)",
            ),
            "(支持|有|能做|提供) (embedding|embeddings|嵌入|文本向量|向量接口)<吗>",
            "(嵌入|向量|embedding|embeddings|文本向量|嵌入接口|向量接口|embedding 接口|语义搜索)",
            "(哪个|什么)接口(可以|能)(算|生成|返回)(向量|嵌入| embedding)<何>",
        ),
    ),
    Topic(
        "rerank",
        "把 query 和 documents 发到 POST /v1/rerank，并给出重排模型的名字。",
        (
            *say(
                "(对|给)(文档|搜索结果|段落|候选)(重排|重新排序|重排序|排序|做 rerank)",
                "(重排|重新排序)(文档|搜索结果|段落|候选)",
            ),
            "(支持|有|能做|提供) (rerank|重排|重排序|reranker)<吗>",
            "(重排|重排序|rerank|reranker|文档重排|重排接口|rerank 接口)",
            "(哪个|什么)接口(可以|能)(重排|给文档排序|做重排)<何>",
        ),
    ),
)
