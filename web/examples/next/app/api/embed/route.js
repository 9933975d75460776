import { Clip } from "clip-everywhere";

// One model for all requests; in Node it may be a path.
let clip;

export async function GET(request) {
  clip ??= Clip.load({ model: process.env.MODEL ?? "public/model", towers: "text" });
  const text = new URL(request.url).searchParams.get("text") ?? "";
  const { normalized } = await (await clip).embedText(text);
  return Response.json([...normalized]);
}
