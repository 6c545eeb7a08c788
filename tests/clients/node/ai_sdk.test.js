// ai: the AI SDK, over the chat and responses of OpenAI, over what is compatible with them, and over Anthropic's messages.
import assert from "node:assert/strict";
import test, { describe } from "node:test";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { embedMany, generateObject, generateText, stepCountIs, streamObject, streamText, tool } from "ai";
import { box, call, Lesson, saidLesson, Weather } from "./said.js";

const openai = createOpenAI({ baseURL: `${box}/v1`, apiKey: "none" });
const compatible = createOpenAICompatible({ name: "box", baseURL: `${box}/v1`, includeUsage: true, supportsStructuredOutputs: true });
const anthropic = createAnthropic({ baseURL: `${box}/v1`, apiKey: "none" });
const dialects = { chat: openai.chat, responses: openai.responses, compatible, anthropic };
const once = { maxRetries: 0 };

for (const [name, model] of Object.entries(dialects)) {
  describe(name, () => {
    test("a text", async () => {
      const answer = await generateText({ ...once, model: model("echo"), system: "Be brief.", prompt: "Good morning!" });
      assert.equal(answer.text, "Good morning!");
      assert.equal(answer.finishReason, "stop");
      assert.ok(answer.usage.inputTokens > 0 && answer.usage.outputTokens > 0);
    });

    test("a streamed text", async () => {
      const errors = [];
      const answer = streamText({ ...once, model: model("echo"), prompt: "größer 你好 🙂", onError: ({ error }) => errors.push(error) });
      let said = "";
      for await (const piece of answer.textStream) said += piece;
      assert.deepEqual(errors, []);
      assert.equal(said, "größer 你好 🙂");
      assert.ok((await answer.usage).outputTokens > 0);
    });

    test("a loop of tools", async () => {
      const asked = [];
      const getWeather = tool({
        description: "Tell the weather.",
        inputSchema: Weather,
        execute: async (input) => {
          asked.push(input);
          return "snow";
        },
      });
      const answer = streamText({
        ...once,
        model: model("echo"),
        prompt: call("getWeather", { city: "Oslo", days: 2 }),
        tools: { getWeather },
        stopWhen: stepCountIs(3),
      });
      assert.match(await answer.text, /snow/);
      assert.deepEqual(asked, [{ city: "Oslo", days: 2 }]);
    });

    test("an object", async () => {
      const { object } = await generateObject({ ...once, model: model("echo"), schema: Lesson, prompt: saidLesson });
      assert.ok(Lesson.safeParse(object).success);
    });

    test("an object that grows while it streams", async () => {
      const answer = streamObject({ ...once, model: model("random"), schema: Lesson, prompt: "Solve it.", maxOutputTokens: 1000 });
      let grown = 0;
      for await (const _ of answer.partialObjectStream) grown += 1;
      assert.ok(Lesson.safeParse(await answer.object).success);
      assert.ok(grown > 1);
    });
  });
}

test("thoughts", async () => {
  const answer = await generateText({ ...once, model: compatible("echo"), prompt: "<think>two and two</think>four" });
  assert.equal(answer.reasoningText, "two and two");
  assert.equal(answer.text, "four");
});

test("vectors", async () => {
  const model = openai.textEmbeddingModel("embedder");
  const { embeddings } = await embedMany({ ...once, model, values: ["the cat sat", "the dog runs"] });
  assert.deepEqual(embeddings.map((row) => row.length), [64, 64]);
});
