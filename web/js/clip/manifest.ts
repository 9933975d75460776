import { ClipError } from "../runtime/errors.js";

/** One file of a packed model, in chunks with a digest each. */
export interface Part {
  file: string;
  /** Bytes. */
  size: number;
  /** Byte at which the first chunk starts; what lies before is not needed. */
  start: number;
  /** Bytes per chunk; the last one may be shorter. */
  chunk: number;
  /** SHA-256 of each chunk, hexadecimal. */
  sha256: string[];
}

/** The token embedding: chunks of whole rows. */
export interface TokenPart extends Part {
  /** Rows per chunk. */
  rows: number;
  /** Bits per value. */
  bits: 16 | 32;
}

/** `manifest.json`, as `scraper model pack` writes it. */
export interface Manifest {
  format: 1;
  model: string;
  revision: string | null;
  /** Digest of all weights, as in the provenance of native vectors. */
  weights: string;
  /** Digest of the tokenizer; older versions of the packer do not tell it. */
  tokenizer?: string;
  numerics: number;
  config: {
    projection_dim: number;
    text_config: { max_position_embeddings: number };
    vision_config: { image_size: number };
  };
  preprocessor: unknown;
  parts: { text: Part; vision: Part; tokens: TokenPart };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null;

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

function isPart(value: unknown): value is Part {
  if (!isObject(value)) return false;
  const { file, size, start, chunk, sha256 } = value;
  return (
    // A plain name: the manifest shall not point elsewhere.
    typeof file === "string" && /^[\w.-]+$/.test(file) && !file.startsWith(".") &&
    isCount(size) && isCount(start) && start <= size && isCount(chunk) && chunk > 0 &&
    chunk <= 64 << 20 && Array.isArray(sha256) &&
    sha256.length === Math.ceil((size - start) / chunk) &&
    sha256.every((digest) => typeof digest === "string" && /^[0-9a-f]{64}$/.test(digest))
  );
}

/** Checks that `text` is a manifest that this version can use. */
export function parseManifest(text: string, url: string): Manifest {
  const bad = (what: string) =>
    new ClipError("manifest", `${url} ${what}: make it with \`scraper model pack\``);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw bad("is not JSON");
  }
  if (!isObject(json) || !isObject(json.config)) throw bad("is not the manifest of a packed model");
  if (json.format !== 1) throw bad(`has format ${String(json.format)}, this version reads format 1`);
  const { parts, config } = json;
  const tokens = isObject(parts) ? parts.tokens : undefined;
  if (
    !isObject(parts) || !isPart(parts.text) || !isPart(parts.vision) || !isPart(tokens) ||
    !isObject(tokens) || !isCount(tokens.rows) || tokens.rows < 1 ||
    (tokens.bits !== 16 && tokens.bits !== 32) || typeof json.weights !== "string" ||
    (json.tokenizer !== undefined && typeof json.tokenizer !== "string") ||
    typeof json.model !== "string" || !isCount(json.numerics) || !isCount(config.projection_dim) ||
    !isObject(config.vision_config) || !isCount(config.vision_config.image_size)
  ) {
    throw bad("is damaged");
  }
  return json as unknown as Manifest;
}
