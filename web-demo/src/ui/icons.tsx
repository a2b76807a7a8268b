// Line icons, 24 x 24, drawn with the colour of the text around them.
const paths = {
  call: "M6.6 3.5 9 3l1.6 4.3-2 1.6a12 12 0 0 0 6.5 6.5l1.6-2L21 15l-.5 2.4A3 3 0 0 1 17.4 20 14.4 14.4 0 0 1 4 6.6a3 3 0 0 1 2.6-3.1Z",
  hangup: "M3.2 14.8c4.9-5 12.7-5 17.6 0l-1.9 2.7-3.7-1.3-.3-2.5a12 12 0 0 0-5.8 0l-.3 2.5-3.7 1.3-1.9-2.7Z",
  microphone: "M12 4a2.5 2.5 0 0 1 2.5 2.5v5a2.5 2.5 0 0 1-5 0v-5A2.5 2.5 0 0 1 12 4ZM6.5 11.5a5.5 5.5 0 0 0 11 0M12 17v3M9 20h6",
  muted:
    "M4 4l16 16M9.5 9.5v2a2.5 2.5 0 0 0 4.2 1.8M14.5 10.5v-4a2.5 2.5 0 0 0-4.9-.7M6.5 11.5a5.5 5.5 0 0 0 8.7 4.5M17.4 12.5l.1-1M12 17v3M9 20h6",
  pause: "M9 6v12M15 6v12",
  play: "M8 5.5v13l10.5-6.5L8 5.5Z",
  keypad: "M6 6h.01M12 6h.01M18 6h.01M6 12h.01M12 12h.01M18 12h.01M6 18h.01M12 18h.01M18 18h.01",
  erase: "M9 6h11v12H9l-6-6 6-6ZM12 10l4 4M16 10l-4 4",
  in: "M17 7 7 17M7 10v7h7",
  out: "M7 17 17 7M10 7h7v7",
  "in-failed": "M17 7 7 17M7 10v7h7M15.5 15.5l5 5M20.5 15.5l-5 5",
  "out-failed": "M7 17 17 7M10 7h7v7M3.5 3.5l5 5M8.5 3.5l-5 5",
  light:
    "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8ZM12 3v1.5M12 19.5V21M3 12h1.5M19.5 12H21M5.6 5.6l1.1 1.1M17.3 17.3l1.1 1.1M18.4 5.6l-1.1 1.1M6.7 17.3l-1.1 1.1",
  dark: "M19.5 14.5A8 8 0 0 1 9.5 4.5a8 8 0 1 0 10 10Z",
  auto: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16ZM12 4v16M12 8h3.5M12 12h4.8M12 16h3.5",
  close: "M6 6l12 12M18 6 6 18",
  echo: "M4 9v6M8 6v12M12 9v6M16 4v16M20 9v6",
  music: "M9 18V6l10-2v12M9 18a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0ZM19 16a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0Z",
  tone: "M3 12c1.5-6 4.5-6 6 0s4.5 6 6 0 4.5-6 6 0",
  phone: "M8 3h8a1.5 1.5 0 0 1 1.5 1.5v15A1.5 1.5 0 0 1 16 21H8a1.5 1.5 0 0 1-1.5-1.5v-15A1.5 1.5 0 0 1 8 3ZM11 18h2",
  listen: "M4 14v-2a8 8 0 0 1 16 0v2M4 14h3v5H5.5A1.5 1.5 0 0 1 4 17.5V14ZM20 14h-3v5h1.5a1.5 1.5 0 0 0 1.5-1.5V14Z",
  transfer: "M4 8h12M12 4l4 4-4 4M20 16H8M12 12l-4 4 4 4",
  ask: "M5 5h14v10h-7l-4 4v-4H5V5ZM9 10h.01M12 10h.01M15 10h.01",
  merge: "M5 5c0 6 7 4 7 10v4M19 5c0 6-7 4-7 10M9 16l3 3 3-3",
  back: "M9 6 4 11l5 5M4 11h10a6 6 0 0 1 6 6v1",
  leave: "M10 4H5v16h5M14 8l4 4-4 4M18 12H9",
  check: "M4.5 12.5 10 18 19.5 6.5",
  clock: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16ZM12 7.5V12l3 2",
  warning: "M12 4 2.8 19.5h18.4L12 4ZM12 10v4.5M12 17h.01",
  person: "M12 5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7ZM5 20c.5-4 3.5-6 7-6s6.5 2 7 6",
  people:
    "M9 5.5a3 3 0 1 0 0 6 3 3 0 0 0 0-6ZM3 19c.4-3.6 2.9-5.3 6-5.3s5.6 1.7 6 5.3M16 6a2.8 2.8 0 0 1 0 5.4M17.5 14c2 .6 3.3 2.3 3.5 5",
  queue: "M5 6h14M5 12h14M5 18h8",
  whisper: "M4 14v-2a8 8 0 0 1 16 0v2M4 14h3v5H5.5A1.5 1.5 0 0 1 4 17.5V14ZM20 14h-3v5h2a1 1 0 0 0 1-1v-4ZM12 15v3M12 21h.01",
  barge: "M4 9.5v5h3.5L13 19V5L7.5 9.5H4ZM16.5 9a4 4 0 0 1 0 6M19 6.5a8 8 0 0 1 0 11",
  full: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  small: "M9 4v5H4M15 4v5h5M9 20v-5H4M15 20v-5h5",
  help: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16ZM9.7 9.5a2.4 2.4 0 1 1 3.4 2.2c-.8.4-1.1.9-1.1 1.8M12 16.5h.01",
  search: "M10.5 4.5a6 6 0 1 0 0 12 6 6 0 0 0 0-12ZM15 15l4.5 4.5",
  down: "M6 9.5l6 6 6-6",
  headset: "M5 14v-2a7 7 0 0 1 14 0v2M5 13h2.5v5H6a1 1 0 0 1-1-1v-4ZM19 13h-2.5v5H18a1 1 0 0 0 1-1v-4ZM18.5 18c0 2-2 2.5-4.5 2.5",
  link: "M4 12h16M13 5l7 7-7 7",
  stop: "M7 7h10v10H7Z",
  sliders: "M5 7h8M17 7h2M5 17h2M11 17h8M15 5v4M9 15v4",
  nosignal:
    "M4 4l16 16M8.5 8.8A10 10 0 0 0 5 11M2 8a15 15 0 0 1 4-2.5M11 5a15 15 0 0 1 11 3M15 9.5a10 10 0 0 1 4 1.5M9 14.5a5 5 0 0 1 5-.4M12 18.5h.01",
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name, size = 22 }: { name: IconName; size?: number }) {
  const dots = name === "keypad";
  return (
    <svg
      class="icon"
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      stroke-width={dots ? 3 : 1.8}
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      <path d={paths[name]} />
    </svg>
  );
}

/** A cord between two jacks. */
export function Logo() {
  return (
    <svg class="logo" width="34" height="34" viewBox="0 0 34 34" fill="none" aria-hidden="true" focusable="false">
      <circle cx="8" cy="9" r="5" stroke="currentColor" stroke-width="2.4" />
      <circle cx="8" cy="9" r="1.6" fill="currentColor" />
      <circle cx="26" cy="9" r="5" stroke="currentColor" stroke-width="2.4" />
      <circle cx="26" cy="9" r="1.6" fill="currentColor" />
      <path d="M8 10v8c0 12 18 12 18 0v-8" class="cord" stroke-width="3" stroke-linecap="round" />
    </svg>
  );
}
