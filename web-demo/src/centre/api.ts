// The gateway's REST interface, asked in the name of whoever is signed in.

import { read, write } from "../storage";
import { Problem, problemOf } from "./problem";
import { type Fetch, Session } from "./session";

/** Beside the page, wherever a proxy has put it. */
const fetchApi: Fetch = (path, init) => fetch(`api/v1${path}`, init);

export const session = new Session(fetchApi, {
  read: () => read("session", "tab"),
  write: (kept) => write("session", kept, "tab"),
});

export const ask = asker(session, fetchApi);

export type Ask = <T = undefined>(method: string, path: string, body?: unknown) => Promise<T>;

/** @throws Problem */
export function asker(session: Pick<Session, "token" | "renew">, fetch: Fetch): Ask {
  return async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    // With it a POST whose answer was lost can be sent again and is done once.
    const key = method === "POST" ? crypto.randomUUID?.() : undefined;
    const send = async (token: string) => {
      try {
        return await fetch(path, {
          method,
          headers: {
            Authorization: `Bearer ${token}`,
            ...(body === undefined ? {} : { "Content-Type": "application/json" }),
            ...(key ? { "Idempotency-Key": key } : {}),
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        });
      } catch {
        return undefined;
      }
    };
    const token = await session.token();
    let response = await send(token);
    if (!response && (method === "GET" || key)) response = await send(token);
    // The gateway may have been started anew with other keys, or its clock is ahead.
    if (response?.status === 401) response = await send(await session.renew());
    if (!response) throw new Problem(0, "no-connection");
    if (!response.ok) throw await problemOf(response);
    return (response.status === 200 || response.status === 201 ? await response.json() : undefined) as T;
  };
}
