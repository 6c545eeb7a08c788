"""LangChain's own standard tests of chat models and embeddings, over every API of the box that it can speak."""

from typing import Any

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_ollama import ChatOllama, OllamaEmbeddings
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from langchain_tests.integration_tests import EmbeddingsIntegrationTests
from wits import ChatTests, Witty


class WittyChatOpenAI(Witty, ChatOpenAI):
    """ChatOpenAI."""


class WittyChatAnthropic(Witty, ChatAnthropic):
    """ChatAnthropic."""


class WittyChatOllama(Witty, ChatOllama):
    """ChatOllama."""


class TestChatCompletions(ChatTests):
    supports_json_mode = True
    chat_model_class = WittyChatOpenAI

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": "echo", "base_url": f"{self.box}/v1", "api_key": "none", "stream_usage": True}


class TestResponses(ChatTests):
    chat_model_class = WittyChatOpenAI

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": "echo", "base_url": f"{self.box}/v1", "api_key": "none", "use_responses_api": True}


class TestMessages(ChatTests):
    DETAILS = ("cache_read_input",)
    supports_anthropic_inputs = True
    chat_model_class = WittyChatAnthropic

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": "echo", "base_url": self.box, "api_key": "none"}


class TestOllama(ChatTests):
    DETAILS = ()
    has_tool_choice = False
    supports_json_mode = True
    chat_model_class = WittyChatOllama

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": "echo", "base_url": self.box}


class TestOpenAIEmbeddings(EmbeddingsIntegrationTests):
    embeddings_class = OpenAIEmbeddings

    @pytest.fixture(autouse=True)
    def _find(self, box: str) -> None:
        self.box = box

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        # Its own tokenizer would be fetched from OpenAI, and it counts nothing of ours.
        of_ours = {"check_embedding_ctx_length": False}
        return {"model": "embedder", "base_url": f"{self.box}/v1", "api_key": "none"} | of_ours


class TestOllamaEmbeddings(EmbeddingsIntegrationTests):
    embeddings_class = OllamaEmbeddings

    @pytest.fixture(autouse=True)
    def _find(self, box: str) -> None:
        self.box = box

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"model": "embedder", "base_url": self.box}


del ChatTests
