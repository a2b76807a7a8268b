// Alerts for an agent who looks elsewhere: the tab's title and icon, and a notification of the system.

export type Mood = "idle" | "ringing" | "talking";

export class TabAlert {
  private shown: Notification | undefined;

  /** The icons stand in agent.html, so that their names carry a hash. */
  showMood(mood: Mood, title: string): void {
    document.title = title;
    const link = document.querySelector<HTMLLinkElement>('link[rel="icon"]');
    const icon = link?.dataset[mood];
    if (link && icon && link.getAttribute("href") !== icon) link.setAttribute("href", icon);
  }

  /** Asked from within a click. */
  async allow(): Promise<void> {
    if (typeof Notification === "undefined" || Notification.permission !== "default") return;
    await Notification.requestPermission().catch(() => undefined);
  }

  /** Only where nobody looks at the page. */
  notify(title: string, body: string): void {
    if (!document.hidden || typeof Notification === "undefined" || Notification.permission !== "granted") return;
    try {
      const shown = new Notification(title, { body, tag: "cordboard.offer", requireInteraction: true });
      this.shown = shown;
      shown.onclick = () => {
        window.focus();
        shown.close();
      };
    } catch {
      // Some browsers on phones have the object and refuse to make one.
    }
  }

  stopNotifying(): void {
    this.shown?.close();
    this.shown = undefined;
  }
}
