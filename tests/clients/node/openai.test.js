// openai: its JavaScript library, as web programs call it.
import assert from "node:assert/strict";
import test from "node:test";
import OpenAI from "openai";
import { zodResponseFormat, zodTextFormat } from "openai/helpers/zod";
import { aLesson, box, call, gather, Lesson, saidLesson, user, weatherParameters } from "./said.js";

const client = new OpenAI({ baseURL: `${box}/v1`, apiKey: "none", maxRetries: 0 });
const tools = [{ type: "function", function: { name: "get_weather", parameters: weatherParameters, strict: true } }];

test("a chat", async () => {
  const answer = await client.chat.completions.create({ model: "echo", messages: [user("Good morning!")] });
  assert.equal(answer.choices[0].message.content, "Good morning!");
});

test("a streamed chat", async () => {
  const stream = await client.chat.completions.create({ model: "echo", messages: [user("größer 你好 🙂")], stream: true });
  assert.equal(await gather(stream, (chunk) => chunk.choices[0]?.delta.content), "größer 你好 🙂");
});

test("a stream that the program breaks off", async () => {
  const stream = await client.chat.completions.create({ model: "random", messages: [user("Talk.")], stream: true, max_tokens: 20000 });
  for await (const _ of stream) break;
  const answer = await client.chat.completions.create({ model: "random", messages: [user("Hi")], max_tokens: 1 });
  assert.equal(answer.choices[0].finish_reason, "length");
});

test("a loop of tools that the library runs", async () => {
  const asked = [];
  const runner = client.chat.completions.runTools({
    model: "echo",
    messages: [user(call("get_weather", { city: "Oslo", days: 2 }))],
    stream: true,
    tools: [
      {
        type: "function",
        function: {
          name: "get_weather",
          parameters: weatherParameters,
          parse: JSON.parse,
          function: (args) => {
            asked.push(args);
            return "snow";
          },
        },
      },
    ],
  });
  assert.match(await runner.finalContent(), /snow/);
  assert.deepEqual(asked, [{ city: "Oslo", days: 2 }]);
});

test("an answer parsed into a type", async () => {
  const answer = await client.chat.completions.parse({
    model: "echo",
    messages: [user(saidLesson)],
    response_format: zodResponseFormat(Lesson, "lesson"),
  });
  assert.deepEqual(answer.choices[0].message.parsed, aLesson);
});

test("a tool that must be called", async () => {
  const answer = await client.chat.completions.create({
    model: "random", messages: [user("Hi")], tools, tool_choice: "required", max_tokens: 600, seed: 1,
  });
  const { city } = JSON.parse(answer.choices[0].message.tool_calls[0].function.arguments);
  assert.ok(["Bergen", "Oslo"].includes(city));
});

test("vectors", async () => {
  const { data } = await client.embeddings.create({ model: "embedder", input: ["the cat sat", "the dog runs"] });
  assert.deepEqual(data.map((row) => row.embedding.length), [64, 64]);
});

test("a response, its stream, and what comes after it", async () => {
  const first = await client.responses.create({ model: "echo", input: "My name is Ada." });
  assert.equal(first.output_text, "My name is Ada.");
  const stream = client.responses.stream({ model: "echo", input: "Who am I?", previous_response_id: first.id });
  assert.equal((await stream.finalResponse()).output_text, "Who am I?");
});

test("a response parsed into a type", async () => {
  const answer = await client.responses.parse({
    model: "echo", input: saidLesson, text: { format: zodTextFormat(Lesson, "lesson") },
  });
  assert.deepEqual(answer.output_parsed, aLesson);
});

test("errors", async () => {
  const asked = client.chat.completions.create({ model: "ecko", messages: [user("Hi")] });
  await assert.rejects(asked, OpenAI.NotFoundError);
});
