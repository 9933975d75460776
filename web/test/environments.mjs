// node environments.mjs FOLDER [NAME …]
//
// The projects of ../examples, built from the package as it would be published and run in a browser, under
// the Content-Security-Policy that the README gives for each. All must find what Node finds. FOLDER as for
// search.mjs; `cargo xtask web --test` installs what they need.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import path from "node:path";
import { pathToFileURL } from "node:url";

import { launchChromium, openPage } from "./browsers.mjs";
import { root, web } from "./compare.mjs";
import { NoAnswer, report, within } from "./report.mjs";
import { serve } from "./server.mjs";
import { pack, unpack } from "./tarball.mjs";

const [folderArgument, ...only] = process.argv.slice(2);
const folder = path.resolve(folderArgument);
const examples = path.join(web, "examples");
const work = path.join(folder, "environments");
await rm(work, { recursive: true, force: true });
await mkdir(work, { recursive: true });

const { tarball } = await pack(path.join(work, "tarball"));
const installed = path.join(examples, "node_modules/clip-everywhere");
// npm links what is installed from a folder; this is what users have.
await unpack(tarball, installed);
const dist = path.join(installed, "dist");

const model = path.join(folder, "packed/second_shape");
const shop = path.join(folder, "shop");
const photo = path.join(root, "tests/corpus/jpeg/photo-420-q75.jpg");
const content = { "/shop/": shop, "/model/": model, "/photo.jpg": photo };
const WORDS = "red floral dress";
const CDN = "https://cdn.example";

/** The README's policies by the first cell of their row. */
const policies = Object.fromEntries(
  [...(await readFile(path.join(web, "README.md"), "utf8")).matchAll(/^\| ([^|]+) \| `(default-src [^`|]+)` \|$/gm)]
    .map(([, where, policy]) => [where.trim(), policy]),
);
const policy = (where, cdn = "") => {
  assert.ok(policies[where], `the README has no policy for ${where}, only for ${Object.keys(policies)}`);
  return policies[where].replaceAll(CDN, cdn);
};

/** What every environment must find: as Node does, from paths. And what `<clip-search>` must. */
const { Clip } = await import(pathToFileURL(path.join(dist, "index.js")).href);
const { Catalogue } = await import(pathToFileURL(path.join(dist, "catalogue.js")).href);
const { expected, searched } = await (async () => {
  const [clip, catalogue] = [await Clip.load({ model }), await Catalogue.open(shop)];
  const nearest = async (embedding) => (await catalogue.search(embedding, { limit: 3 })).map(({ id }) => id);
  const words = await clip.embedText(WORDS);
  const { hits } = await catalogue.find({ text: WORDS, embedding: words }, { limit: 3 });
  const found = { words: await nearest(words), photo: await nearest(await clip.embedImage(photo)) };
  clip.dispose();
  catalogue.dispose();
  return { expected: JSON.stringify(found), searched: hits.map(({ id }) => id) };
})();

const chromium = await launchChromium();
const servers = [];
const host = async (mounts, options = {}) => {
  const server = await serve({ ...content, ...mounts }, { csp: false, ...options });
  servers.push(server);
  return server;
};

/** Runs a project's build: the folder of what it wrote. */
function build(name, env = {}) {
  const cwd = path.join(examples, name);
  const options = { cwd, stdio: "pipe", encoding: "utf8", env: { ...process.env, NEXT_TELEMETRY_DISABLED: "1", ...env } };
  try {
    execFileSync("npm", ["run", "--silent", "build"], options);
  } catch (error) {
    assert.fail(`${name}: ${error.stdout}\n${error.stderr}`);
  }
  return path.join(cwd, "dist");
}

const answered = () => new Promise((resolve) => {
  const look = () => (document.querySelector("output")?.value ? resolve(document.querySelector("output").value) : setTimeout(look, 20));
  look();
});

/** A page, and the errors that it or its console has. */
async function watched(context) {
  const page = await context.newPage();
  const problems = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => message.type() === "error" && !message.location().url.endsWith("/favicon.ico") && problems.push(message.text()));
  return { page, problems };
}

/**
 * Firefox can lose the wake-up of a worker that another worker starts while a driver listens: both then wait in
 * its own code for ever, in few of a hundred loads.
 */
const TRIES = 3;

/** What a page says, and what it complains of. */
async function visit(url, browser = "chromium") {
  if (browser !== "chromium") {
    for (let tries = 1; ; tries += 1) {
      const page = await openPage(browser, url, () => document.readyState === "complete");
      try {
        return { said: await within(60, page.version, page.run(answered)), problems: [] };
      } catch (error) {
        if (!(error instanceof NoAnswer) || browser !== "firefox" || tries === TRIES) throw error;
        console.log(`        ${error.message}; once more`);
      } finally {
        await page.close();
      }
    }
  }
  const context = await chromium.newContext();
  try {
    const { page, problems } = await watched(context);
    page.on("requestfailed", (request) => {
      const why = request.failure()?.errorText;
      // The package ends a download when it has what it needs of it.
      if (why !== "net::ERR_ABORTED") problems.push(`${request.url()}: ${why}`);
    });
    await page.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", (e) => console.error(`violation: ${e.violatedDirective} ${e.blockedURI}`));
    });
    await page.goto(url);
    const said = await within(60, url, page.evaluate(answered)).catch((error) => error.message);
    return { said, problems };
  } finally {
    await context.close();
  }
}

/** A page that works: the same ids as in Node, and no complaint. */
async function works(url, browsers = ["chromium"]) {
  for (const browser of browsers) assert.deepEqual(await visit(url, browser), { said: expected, problems: [] }, browser);
}

/** The plain pages, for scripts on `cdn`. */
async function plainPages(name, cdn) {
  const pages = path.join(work, name);
  await cp(path.join(examples, "modules"), pages, { recursive: true });
  for (const file of await readdir(pages)) {
    const text = await readFile(path.join(pages, file), "utf8");
    if (text.includes(CDN)) await writeFile(path.join(pages, file), text.replaceAll(CDN, cdn));
  }
  return { "/": pages, "/clip/": dist };
}

/** The first ports that are free, of those that `from` gives for a number. */
async function freePorts(from) {
  for (let port = 5000; port < 6500; port += 1) {
    const free = await Promise.all(from(port).map(async (one) => {
      const server = createServer().listen(one, "127.0.0.1");
      try {
        await once(server, "listening");
        return true;
      } catch {
        return false;
      } finally {
        server.close();
      }
    }));
    if (free.every(Boolean)) return from(port);
  }
  throw new Error("there is no free port");
}

const ALL = ["chromium", "firefox", "webkit"];
const application = { "/app/": path.join(examples, "modules"), "/app/clip/": dist };

const tests = {
  async "plain modules, at the root and in a folder"() {
    const csp = policy("the page's origin");
    const pages = await plainPages("plain", "http://unused.example");
    const { origin } = await host(pages, { csp });
    await works(`${origin}/index.html`);
    const deep = await host({ "/en/shop/": pages["/"], "/en/shop/clip/": dist }, { csp });
    await works(`${deep.origin}/en/shop/index.html`);
  },
  async "plain modules of a CDN"() {
    const cdn = await host(application, { cors: true });
    const { origin } = await host(await plainPages("cdn", cdn.origin), { csp: policy("a CDN", cdn.origin) });
    await works(`${origin}/cdn.html`, ALL);
  },
  async "a page whose origin is how the CDN's begins"() {
    const [port, longer] = await freePorts((port) => [port, port * 10 + 1]);
    const cdn = await host(application, { cors: true, port: longer });
    const { origin } = await host(await plainPages("prefix", cdn.origin), { csp: policy("a CDN", cdn.origin), port });
    assert.ok(cdn.origin.startsWith(origin));
    await works(`${origin}/cdn.html`);
  },
  async "a CDN without CORS is an error that says so"() {
    const cdn = await host(application, { cors: true });
    const { origin } = await host(await plainPages("closed", cdn.origin), { csp: policy("the page's origin") + `; script-src-elem 'self' ${cdn.origin}` });
    const { said } = await visit(`${origin}/cdn.html`);
    assert.match(said, /^environment: .*worker-src blob: http:\/\/localhost/);
  },
  async "a sandboxed frame"() {
    const cdn = await host(application, { cors: true });
    const { origin } = await host(await plainPages("sandbox", cdn.origin), { csp: policy("a sandboxed frame", cdn.origin) });
    await works(`${origin}/sandbox.html`, ALL);
  },
  async "a worker of the page's own"() {
    const { origin } = await host(await plainPages("worker", "http://unused.example"), { csp: policy("the page's origin") });
    await works(`${origin}/worker.html`, ALL);
  },
  async "a service worker gets a clear error"() {
    const { origin } = await host(await plainPages("service", "http://unused.example"), { csp: policy("the page's origin") });
    const { said } = await visit(`${origin}/service.html`);
    assert.match(said, /^environment: a service worker cannot start the workers/);
  },
  async "Vite, with scripts on a CDN, and in any folder"() {
    const out = path.join(examples, "vite/dist");
    const cdn = await host({ "/": out }, { cors: true });
    build("vite", { CDN: `${cdn.origin}/` });
    const { origin } = await host({ "/index.html": path.join(out, "index.html") }, { csp: policy("a CDN", cdn.origin) });
    await searches(`${origin}/index.html`);
    build("vite", { CDN: "./" });
    const deep = await host({ "/en/shop/": out }, { csp: policy("the page's origin") });
    await searches(`${deep.origin}/en/shop/index.html`);
  },
  async "webpack, in a folder, in a worker of the page's own, and with scripts on a CDN"() {
    const out = build("webpack");
    const deep = await host({ "/en/shop/": out }, { csp: policy("the page's origin") });
    await works(`${deep.origin}/en/shop/index.html`);
    await works(`${deep.origin}/en/shop/worker.html`);
    const cdn = await host({ "/": out }, { cors: true });
    build("webpack", { CDN: `${cdn.origin}/` });
    const page = path.join(out, "index.html");
    await writeFile(page, (await readFile(page, "utf8")).replace("./main.js", `${cdn.origin}/main.js`));
    const { origin } = await host({ "/index.html": page }, { csp: policy("a CDN", cdn.origin) });
    await works(`${origin}/index.html`);
  },
  async "esbuild, as a module and as a classic script"() {
    const { origin } = await host({ "/": build("esbuild") }, { csp: policy("the page's origin") });
    await works(`${origin}/index.html`);
    await works(`${origin}/classic.html`);
  },
  async "Rollup"() {
    const { origin } = await host({ "/": build("rollup") }, { csp: policy("the page's origin") });
    await works(`${origin}/index.html`);
  },
  async "Vue, rendered on the server"() {
    const out = build("vue");
    const { render } = await import(pathToFileURL(path.join(out, "server/server.js")).href);
    const page = path.join(out, "index.html");
    const html = (await readFile(page, "utf8")).replace("<!--app-->", await render());
    assert.match(html, /<clip-search index="\/shop\/" model="\/model\/"><\/clip-search>/);
    await writeFile(page, html);
    const { origin } = await host({ "/": out }, { csp: policy("the page's origin") });
    await searches(`${origin}/index.html`);
  },
  async "Next: rendered on the server, in the browser, and in a route handler"() {
    const content = await host({}, { cors: true });
    const { origin, close } = await next({ CONTENT: content.origin, POLICY: policy("Next", content.origin) });
    try {
      await works(origin);
      const answer = await fetch(`${origin}/api/embed?text=${encodeURIComponent(WORDS)}`);
      assert.equal(answer.status, 200);
      const clip = await Clip.load({ model, towers: "text" });
      assert.deepEqual(await answer.json(), [...(await clip.embedText(WORDS)).normalized]);
      clip.dispose();
    } finally {
      close();
    }
  },
  async "Next, with scripts on a CDN"() {
    const cdn = await host({ "/_next/static/": path.join(examples, "next/.next/static") }, { cors: true });
    const { origin, close } = await next({ CDN: cdn.origin, CONTENT: cdn.origin, POLICY: policy("Next, on a CDN", cdn.origin) });
    try {
      await works(origin);
    } finally {
      close();
    }
  },
};

/** Builds and starts the project with Next. */
async function next(env) {
  build("next", env);
  const [port] = await freePorts((port) => [port]);
  const bin = path.join(examples, "node_modules/next/dist/bin/next");
  const options = { cwd: path.join(examples, "next"), env: { ...process.env, MODEL: model }, stdio: "ignore" };
  const server = spawn(process.execPath, [bin, "start", "-H", "127.0.0.1", "-p", String(port)], options);
  const origin = `http://localhost:${port}`;
  const listening = async () => {
    while (!(await fetch(origin).then(() => true, () => false))) await new Promise((resolve) => setTimeout(resolve, 100));
  };
  await within(60, "Next", listening());
  return { origin, close: () => server.kill("SIGKILL") };
}

/** A page with `<clip-search>`, which finds what Node finds. */
async function searches(url) {
  const context = await chromium.newContext();
  try {
    const { page, problems } = await watched(context);
    await page.goto(url);
    const ids = await within(60, url, page.evaluate(async (words) => {
      await customElements.whenDefined("clip-search");
      const search = document.querySelector("clip-search");
      const found = new Promise((resolve, reject) => {
        search.addEventListener("clip-search-results", ({ detail }) => detail.by === "model" && resolve(detail.hits.slice(0, 3).map(({ id }) => id)));
        search.addEventListener("clip-search-error", ({ detail }) => reject(detail.error));
      });
      search.search(words);
      return found;
    }, WORDS));
    assert.deepEqual([ids, problems], [searched, []]);
  } finally {
    await context.close();
  }
}

await report(tests, only, async () => {
  await chromium.close();
  for (const server of servers) server.close();
});
