// Time to wait before the next attempt: longer each time, and never the same for all pages.

const FIRST_MS = 500;
const LONGEST_MS = 15_000;

export class Backoff {
  private failures = 0;

  constructor(private readonly random: () => number = Math.random) {}

  /** Milliseconds until the next attempt: half of it sure, half by chance. */
  next(): number {
    const ceiling = Math.min(LONGEST_MS, FIRST_MS * 2 ** this.failures);
    this.failures += 1;
    return ceiling / 2 + (ceiling / 2) * this.random();
  }

  succeeded(): void {
    this.failures = 0;
  }
}
