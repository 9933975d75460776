/** Runs tests by name and ends as the other scripts do. */
export async function report(tests, only = [], end = async () => undefined) {
  let [passed, failed] = [0, 0];
  for (const [name, test] of Object.entries(tests)) {
    if (only.length > 0 && !only.some((part) => name.includes(part))) continue;
    const start = performance.now();
    try {
      await test();
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
