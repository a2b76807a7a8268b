const KEYS: [string, string][] = [
  ["1", ""],
  ["2", "ABC"],
  ["3", "DEF"],
  ["4", "GHI"],
  ["5", "JKL"],
  ["6", "MNO"],
  ["7", "PQRS"],
  ["8", "TUV"],
  ["9", "WXYZ"],
  ["*", ""],
  ["0", "+"],
  ["#", ""],
];

const SPOKEN: Record<string, string> = { "*": "star", "#": "hash" };

/** The twelve keys, like jacks on a board. */
export function Pad({ label, press }: { label: string; press(digit: string): void }) {
  return (
    <div class="pad" role="group" aria-label={label}>
      {KEYS.map(([digit, letters]) => (
        <button key={digit} type="button" class="key" data-key={digit} aria-label={SPOKEN[digit]} onClick={() => press(digit)}>
          <span class="key-digit">{digit}</span>
          <span class="key-letters" aria-hidden="true">
            {letters}
          </span>
        </button>
      ))}
    </div>
  );
}
