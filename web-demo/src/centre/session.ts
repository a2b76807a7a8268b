// The sign-in: tokens, their renewal, and the tab's memory of them over a reload.
import { type Signal, signal } from "@preact/signals";
import type { Tokens, User } from "./objects";
import { Problem, problemOf } from "./problem";

/** Tokens that a sign-in has now. */
export interface Held {
  access: string;
  /** Milliseconds since 1970. */
  accessUntil: number;
  refresh: string;
  user: User;
}

/** Memory of the tab for the tokens. */
export interface TokenStore {
  read(): Held | undefined;
  write(held: Held | undefined): void;
}

export type Fetch = (path: string, init: RequestInit) => Promise<Response>;

/** An access token is not used in its last moments: the clock of the gateway may be ahead. */
const MARGIN_MS = 30_000;

export class Session {
  readonly user: Signal<User | undefined>;
  /** The sign-in ended without the person having wanted it. */
  readonly lost = signal(false);
  private held: Held | undefined;
  private renewal: Promise<string> | undefined;

  constructor(
    private readonly fetch: Fetch,
    private readonly store: TokenStore,
    private readonly now: () => number = Date.now,
  ) {
    this.held = store.read();
    this.user = signal(this.held?.user);
  }

  async signIn(user: string, password: string): Promise<void> {
    this.take(await this.post<Tokens>("/auth/login", { user, password }));
  }

  /** Ends the sign-in at the gateway, and then here. @throws Problem where the gateway does not know; then it goes on. */
  async end(): Promise<void> {
    const refresh = this.held?.refresh;
    if (refresh) await this.post("/auth/logout", { refresh_token: refresh });
    this.forget();
    this.lost.value = false;
  }

  /** Ends the sign-in here and at the gateway. */
  async signOut(): Promise<void> {
    const refresh = this.held?.refresh;
    this.forget();
    this.lost.value = false;
    if (refresh) await this.post("/auth/logout", { refresh_token: refresh }).catch(() => undefined);
  }

  /** Leaves the sign-in to the tab that this one was copied from. */
  abandon(): void {
    this.forget();
  }

  /** An access token that is good now. @throws Problem */
  async token(): Promise<string> {
    if (this.held && this.held.accessUntil - MARGIN_MS > this.now()) return this.held.access;
    return this.renew();
  }

  /** The next tokens. Asked for once however many need them: a refresh token is good once. @throws Problem */
  renew(): Promise<string> {
    this.renewal ??= this.renewOnce().finally(() => {
      this.renewal = undefined;
    });
    return this.renewal;
  }

  private async renewOnce(): Promise<string> {
    const before = this.held;
    if (!before) throw new Problem(401, "unauthenticated");
    try {
      const tokens = await this.post<Tokens>("/auth/refresh", { refresh_token: before.refresh });
      // Somebody signed out, or in anew, in the meantime.
      if (this.held !== before) throw new Problem(401, "unauthenticated");
      this.take(tokens);
      return tokens.access_token;
    } catch (error) {
      // Only the gateway's own no ends the sign-in; a gateway that is away does not.
      if (error instanceof Problem && error.status === 401 && this.held === before) {
        this.forget();
        this.lost.value = true;
      }
      throw error;
    }
  }

  private take(tokens: Tokens): void {
    this.held = {
      access: tokens.access_token,
      accessUntil: this.now() + tokens.expires_in * 1000,
      refresh: tokens.refresh_token,
      user: tokens.user,
    };
    this.store.write(this.held);
    this.lost.value = false;
    this.user.value = tokens.user;
  }

  private forget(): void {
    this.held = undefined;
    this.store.write(undefined);
    this.user.value = undefined;
  }

  private async post<T>(path: string, body: unknown): Promise<T> {
    let response: Response;
    try {
      response = await this.fetch(path, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
      });
    } catch {
      throw new Problem(0, "no-connection");
    }
    if (!response.ok) throw await problemOf(response);
    return (response.status === 204 ? undefined : await response.json()) as T;
  }
}
