// Alerts for an agent who looks elsewhere: the tab's title and icon, and a notification of the system.

export type Mood = "idle" | "ringing" | "talking";

/** The icons stand in agent.html, so that their names carry a hash. */
export function showMood(mood: Mood, title: string): void {
  document.title = title;
  const link = document.querySelector<HTMLLinkElement>('link[rel="icon"]');
  const icon = link?.dataset[mood];
  if (link && icon && link.getAttribute("href") !== icon) link.setAttribute("href", icon);
}

let shown: Notification | undefined;

/** Asked from within a click. */
export async function allowNotifications(): Promise<void> {
  if (typeof Notification === "undefined" || Notification.permission !== "default") return;
  await Notification.requestPermission().catch(() => undefined);
}

/** Only where nobody looks at the page. */
export function notify(title: string, body: string): void {
  if (!document.hidden || typeof Notification === "undefined" || Notification.permission !== "granted") return;
  try {
    shown = new Notification(title, { body, tag: "cordboard.offer", requireInteraction: true });
    shown.onclick = () => {
      window.focus();
      shown?.close();
    };
  } catch {
    // Some browsers on phones have the object and refuse to make one.
  }
}

export function stopNotifying(): void {
  shown?.close();
  shown = undefined;
}
