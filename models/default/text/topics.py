"""All topics of each language."""

from . import (
    operate_en,
    operate_en_chat,
    operate_en_keys,
    operate_en_machine,
    operate_en_making,
    operate_en_models,
    operate_zh,
    operate_zh_chat,
    operate_zh_facts,
    operate_zh_keys,
    operate_zh_machine,
    operate_zh_making,
    operate_zh_memory,
    operate_zh_models,
    talk_en,
    talk_en_unknown,
    talk_zh,
)

ENGLISH = (
    *operate_en.TOPICS,
    *operate_en_chat.TOPICS,
    *operate_en_keys.TOPICS,
    *operate_en_machine.TOPICS,
    *operate_en_making.TOPICS,
    *operate_en_models.TOPICS,
    *talk_en.TOPICS,
    *talk_en_unknown.TOPICS,
)
CHINESE = (
    *operate_zh.TOPICS,
    *operate_zh_chat.TOPICS,
    *operate_zh_facts.TOPICS,
    *operate_zh_keys.TOPICS,
    *operate_zh_machine.TOPICS,
    *operate_zh_making.TOPICS,
    *operate_zh_memory.TOPICS,
    *operate_zh_models.TOPICS,
    *talk_zh.TOPICS,
)
