// Notices that the gateway serves a newer version of the page than the one that runs here.
import { signal } from "@preact/signals";

export class PageVersion {
  /** True once the gateway serves another version. */
  readonly outdated = signal(false);

  /**
   * `script` is the address of the page's own script, as its HTML has it: the name carries a hash of the content. `served` reads
   * the HTML that the gateway serves now.
   */
  constructor(
    private readonly script: () => string | undefined = ownScript,
    private readonly served: () => Promise<string | undefined> = servedPage,
  ) {}

  async check(): Promise<void> {
    const script = this.script();
    if (!script || this.outdated.peek()) return;
    const html = await this.served().catch(() => undefined);
    // Something else than the page, as from a proxy whose gateway is away, says nothing.
    if (html?.includes('<div id="app">')) this.outdated.value = !html.includes(`"${script}"`);
  }
}

function ownScript(): string | undefined {
  return document.querySelector("script[type=module][src]")?.getAttribute("src") ?? undefined;
}

async function servedPage(): Promise<string | undefined> {
  const response = await fetch(location.pathname, { cache: "no-cache" });
  return response.ok ? response.text() : undefined;
}
