/** Something that the person at the terminal can act on: printed as it is, without a stack. */
export class Failure extends Error {
  /**
   * @param {string} message what is wrong
   * @param {string[]} [fix] commands or sentences that put it right, one a line
   */
  constructor(message, fix = []) {
    super(message);
    this.fix = fix;
  }
}

/** Runs a script's main function; its result, or the failure, becomes the exit code. */
export async function runMain(main) {
  try {
    process.exitCode = await main();
  } catch (error) {
    if (error instanceof Failure) {
      const fix = error.fix.length === 0 ? "" : `\n${error.fix.map((line) => `    ${line}`).join("\n")}`;
      console.error(`${error.message}${fix}`);
    } else {
      console.error(error);
    }
    process.exitCode = error?.exitCode ?? 1;
  }
}
