/** A browser's page that does not answer would hold a whole run up; the slowest test takes seconds. */
const LIMIT_S = 300;

/** What `work` gives, or an error that `what` has not answered. */
export async function within(seconds, what, work) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new NoAnswer(`${what}: no answer in ${seconds} s`)), seconds * 1000);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

export class NoAnswer extends Error {}

/** Runs tests by name and ends as the other scripts do. */
export async function report(tests, only = [], end = async () => undefined) {
  let [passed, failed] = [0, 0];
  for (const [name, test] of Object.entries(tests)) {
    if (only.length > 0 && !only.some((part) => name.includes(part))) continue;
    const start = performance.now();
    try {
      await within(LIMIT_S, name, test());
      passed += 1;
      console.log(`ok      ${name} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED  ${name}: ${error.stack}`);
    }
  }
  await end();
  console.log(`test result: ${failed === 0 ? "ok" : "FAILED"}. ${passed} passed; ${failed} failed; 0 ignored`);
  process.exit(failed === 0 ? 0 : 1);
}
