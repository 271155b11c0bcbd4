const width = 20;
const frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/**
 * Says what set-up does, on standard error: a line that moves on a terminal, one line per step in a pipe or a log.
 *
 * @template T
 * @param {string} title what is done, in a few words
 * @param {(update: (fraction?: number, detail?: string) => void) => Promise<T>} work gets a function to report how far
 *   it is (0 to 1, undefined where that cannot be known) and what it does at the moment
 * @param {object} [options]
 * @param {boolean} [options.lazy] say nothing before the first report, for work that mostly has nothing to do
 * @param {string} [options.hint] how long it takes, where no bar shows it
 * @returns {Promise<T>} what the work returned
 */
export async function step(title, work, { lazy = false, hint, out = process.stderr } = {}) {
  const line = out.isTTY ? movingLine(title, out) : plainLine(hint === undefined ? title : `${title} (${hint})`, out);
  if (!lazy) line.begin();
  try {
    const result = await work((fraction, detail) => {
      line.begin();
      line.update(fraction, detail);
    });
    line.end("✓");
    return result;
  } catch (error) {
    line.end("✗");
    throw error;
  }
}

/** One sentence between steps. */
export function note(sentence, out = process.stderr) {
  out.write(`${sentence}\n`);
}

function plainLine(title, out) {
  let begun = false;
  return {
    begin() {
      if (!begun) out.write(`${title} …\n`);
      begun = true;
    },
    update: () => undefined,
    end: () => undefined,
  };
}

function movingLine(title, out) {
  let timer;
  let started = 0;
  let frame = 0;
  let fraction;
  let detail = "";
  const seconds = () => `${((Date.now() - started) / 1000).toFixed(1)} s`;
  const draw = () => {
    frame = (frame + 1) % frames.length;
    const text = `${title}${bar(fraction)} ${seconds()} ${detail}`;
    out.write(`\r\x1b[2K${frames[frame]} ${text.slice(0, Math.max(10, (out.columns || 80) - 3))}`);
  };
  return {
    begin() {
      if (timer !== undefined) return;
      started = Date.now();
      timer = setInterval(draw, 120);
      draw();
    },
    update(newFraction, newDetail) {
      // A bar that runs backwards says nothing.
      if (newFraction !== undefined) fraction = Math.max(fraction ?? 0, Math.min(1, newFraction));
      detail = newDetail ?? detail;
    },
    end(mark) {
      if (timer === undefined) return;
      clearInterval(timer);
      out.write(`\r\x1b[2K${mark} ${title} (${seconds()})\n`);
    },
  };
}

function bar(fraction) {
  if (fraction === undefined) return "";
  const filled = Math.round(fraction * width);
  const percent = String(Math.floor(fraction * 100)).padStart(3);
  return ` ${"█".repeat(filled)}${"░".repeat(width - filled)} ${percent} %`;
}
