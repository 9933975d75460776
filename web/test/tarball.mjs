// The package as it would be published.

import { execFileSync } from "node:child_process";
import { mkdir, readdir, rm } from "node:fs/promises";
import path from "node:path";

import { web } from "./compare.mjs";

/** Packs it into `folder`: the tarball, and the names of the files in it. */
export async function pack(folder) {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const arguments_ = ["pack", "--json", "--ignore-scripts", "--pack-destination", folder];
  execFileSync("npm", arguments_, { cwd: web, stdio: ["ignore", "pipe", "inherit"], encoding: "utf8", maxBuffer: 1 << 26 });
  const [name] = (await readdir(folder)).filter((name) => name.endsWith(".tgz"));
  const tarball = path.join(folder, name);
  const list = execFileSync("tar", ["-tzf", tarball], { encoding: "utf8" }).trim().split("\n");
  return { tarball, files: list.map((file) => file.replace(/^package\//, "")).sort() };
}

/** Unpacks a tarball as `node_modules` has it. */
export async function unpack(tarball, folder) {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  execFileSync("tar", ["-xzf", tarball, "-C", folder, "--strip-components=1"]);
}
