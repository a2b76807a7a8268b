// Error responses of the gateway (RFC 9457), or the lack of any response.

export class Problem extends Error {
  override readonly name = "Problem";

  constructor(
    /** HTTP status; 0 where nothing came back. */
    readonly status: number,
    /** Stable code of the API; "no-connection" where nothing came back. */
    readonly code: string,
    detail = "",
    /** Seconds after which to try again. */
    readonly retryAfter?: number,
  ) {
    super(detail || code);
  }
}

export async function problemOf(response: Response): Promise<Problem> {
  const body = (await response.json().catch(() => ({}))) as { code?: unknown; detail?: unknown; title?: unknown };
  const text = (value: unknown) => (typeof value === "string" ? value : "");
  const after = Number(response.headers.get("Retry-After"));
  // A proxy in between answers with pages of its own while the gateway is away.
  const away = response.status === 502 || response.status === 504;
  return new Problem(
    away ? 0 : response.status,
    text(body.code) || (away ? "no-connection" : "unknown"),
    text(body.detail) || text(body.title),
    Number.isFinite(after) && after > 0 ? after : undefined,
  );
}
