// node package.mjs FOLDER [NAME …]
//
// The package as it would be published: what is in it, its manifest, its types as users' compilers see
// them, and the kinds of errors that it promises.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { publint } from "publint";
import { formatMessage } from "publint/utils";

import { root, web } from "./compare.mjs";
import { report } from "./report.mjs";
import { pack, unpack } from "./tarball.mjs";

const [folderArgument, ...only] = process.argv.slice(2);
const folder = path.join(path.resolve(folderArgument), "package");
const { tarball, files } = await pack(path.join(folder, "tarball"));
const installed = path.join(folder, "node_modules/clip-everywhere");
await unpack(tarball, installed);
const manifest = JSON.parse(await readFile(path.join(installed, "package.json"), "utf8"));
const bin = (name) => path.join(web, "node_modules/.bin", name);

/** Runs a program; its output is the error. */
function clean(program, arguments_, cwd = folder) {
  try {
    execFileSync(program, arguments_, { cwd, stdio: "pipe", encoding: "utf8" });
  } catch (error) {
    assert.fail(`${error.stdout}\n${error.stderr}`);
  }
}

/** Texts of files that may throw. */
async function texts(under, end) {
  const names = (await readdir(path.join(root, under), { recursive: true })).filter((name) => name.endsWith(end));
  return Promise.all(names.map((name) => readFile(path.join(root, under, name), "utf8")));
}
const all = (text, pattern) => [...text.matchAll(pattern)].map(([, found]) => found);

const tests = {
  async "the tarball holds what is needed, and nothing else"() {
    const top = files.filter((file) => !/^(dist|react|vue)\//.test(file));
    assert.deepEqual(top, ["LICENSE-APACHE", "LICENSE-MIT", "README.md", "THIRD-PARTY-LICENSES", "custom-elements.json", "package.json"]);
    for (const name of ["LICENSE-APACHE", "LICENSE-MIT"]) {
      assert.equal(await readFile(path.join(installed, name), "utf8"), await readFile(path.join(root, name), "utf8"), name);
    }
    // What the modules are made of, with texts, not only names.
    const notices = await readFile(path.join(installed, "THIRD-PARTY-LICENSES"), "utf8");
    for (const name of ["serde", "wasm-bindgen", "re_rav1d", "rayon"]) assert.match(notices, new RegExp(`^- ${name} [\\d.]+: \\S`, "m"));
    assert.ok(notices.split("Permission is hereby granted").length > 5);
    const kinds = new Set(files.filter((file) => file.startsWith("dist/")).map((file) => file.replace(/.*?(\.d\.ts|\.\w+)$/, "$1")));
    assert.deepEqual([...kinds].sort(), [".d.ts", ".js", ".wasm"]);
    const targets = Object.values(manifest.exports).flatMap((target) => (typeof target === "string" ? [target] : Object.values(target)));
    for (const target of targets) assert.ok(files.includes(target.replace("./", "")), `${target} is not there`);
    assert.equal(manifest.private, undefined);
    assert.equal(manifest.license, "MIT OR Apache-2.0");
    assert.deepEqual([manifest.dependencies, manifest.scripts?.postinstall], [undefined, undefined]);
  },
  async "publint has nothing to say"() {
    const { messages } = await publint({ pkgDir: installed, level: "suggestion", strict: true, pack: false });
    assert.deepEqual(messages.map((message) => formatMessage(message, manifest)), []);
  },
  async "are the types wrong? no"() {
    // ES modules only: `require` of Node before 22 and TypeScript's `node10` know none.
    clean(bin("attw"), [tarball, "--profile", "esm-only", "--no-emoji", "--no-color"]);
  },
  async "its types serve users under both ways to resolve modules"() {
    await rm(path.join(folder, "types"), { recursive: true, force: true });
    await cp(path.join(web, "test/types"), path.join(folder, "types"), { recursive: true });
    for (const [module, moduleResolution] of [["nodenext", "nodenext"], ["esnext", "bundler"]]) {
      const compilerOptions = {
        module, moduleResolution, target: "es2022", lib: ["es2022", "dom", "dom.iterable", "dom.asynciterable"],
        types: [], strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false, noEmit: true,
      };
      await writeFile(path.join(folder, "package.json"), '{ "type": "module" }');
      const project = path.join(folder, `tsconfig.${moduleResolution}.json`);
      await writeFile(project, JSON.stringify({ compilerOptions, include: ["types"] }));
      clean(process.execPath, [path.join(web, "node_modules/typescript/bin/tsc"), "-p", project]);
    }
  },
  async "the kinds of errors are those that are thrown"() {
    const promised = all(await readFile(path.join(web, "js/runtime/errors.ts"), "utf8").then((text) => /ClipErrorKind =([^;]*);/.exec(text)[1]), /"([\w.]+)"/g);
    const thrown = new Set();
    for (const text of await texts("web/js", ".ts")) {
      for (const kind of all(text, /new ClipError\(\s*"([\w.]+)"/g)) thrown.add(kind);
      // Of the error for what is not there, and of other errors.
      for (const kind of all(text, /\bkind: "([a-z_]+(?:\.[a-z_]+)?)",\s+(?:advice|message)/g)) thrown.add(kind);
    }
    for (const text of await texts("web/src", ".rs")) for (const kind of all(text, /Failure::new\(\s*"([\w.]+)"/g)) thrown.add(kind);
    for (const text of await texts("crates/clip-core/src", ".rs")) {
      const [, body = ""] = /fn kind\(&self\) -> &'static str \{([\s\S]*?)\n    \}/.exec(text) ?? [];
      for (const kind of all(body, /=> "([\w.]+)"/g)) thrown.add(kind);
    }
    // Only between threads; and of the native program's accelerators.
    for (const kind of ["abort", "device"]) thrown.delete(kind);
    assert.deepEqual([...thrown].sort(), promised.toSorted());
  },
};

await report(tests, only);
