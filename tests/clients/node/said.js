// What a test writes for the echo model to say, and the form that answers are forced into.
import { z } from "zod";

export const box = process.env.BOX;

export const user = (text) => ({ role: "user", content: text });

// JSON with the spaces that most models write, as `json.dumps` of Python does.
const spaced = (value) => JSON.stringify(value, null, 1).replace(/\n */g, " ").replace(/(?<=[{[]) | (?=[}\]])/g, "");

/** How the echo model calls a tool. */
export const call = (name, args) => `<tool_call>\n${spaced({ name, arguments: args })}\n</tool_call>`;

export const Weather = z.object({ city: z.enum(["Bergen", "Oslo"]), days: z.number().int() });

export const weatherParameters = {
  type: "object",
  properties: { city: { type: "string", enum: ["Bergen", "Oslo"] }, days: { type: "integer" } },
  required: ["city", "days"],
  additionalProperties: false,
};

export const Lesson = z.object({
  level: z.enum(["easy", "hard"]),
  steps: z.array(z.object({ explanation: z.string().max(12), output: z.number().int() })).max(3),
  isDone: z.boolean(),
});

/** What the echo model must say where JSON is asked for: with the spaces that the grammar wants. */
export const saidLesson = '{"level": "hard", "steps": [{"explanation": "2 and 2", "output": 4}], "isDone": true}';
export const aLesson = JSON.parse(saidLesson);

export async function gather(stream, text) {
  let said = "";
  for await (const part of stream) said += text(part) ?? "";
  return said;
}
