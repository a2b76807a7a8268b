// The gateway's REST interface, asked in the name of whoever is signed in.
import { read, write } from "../storage";
import { Problem, problemOf } from "./problem";
import { type Answer, addressOf, type Method, type Path, type Rest } from "./requests";
import { type Fetch, Session, type TokenStore } from "./session";

/** The sign-in of a page, and what asks in its name. */
export interface Api {
  session: Session;
  ask: Ask;
}

/** Beside the page, wherever a proxy has put it. */
const besidePage: Fetch = (path, init) => fetch(`api/v1${path}`, init);

const inTab: TokenStore = {
  read: () => read("session", "tab"),
  write: (held) => write("session", held, "tab"),
};

export function createApi(fetch: Fetch = besidePage, store: TokenStore = inTab): Api {
  const session = new Session(fetch, store);
  return { session, ask: asker(session, fetch) };
}

/** Sends a request of the API document and resolves with the body of its answer. @throws Problem */
export type Ask = <M extends Method, P extends Path<M>>(method: M, path: P, ...given: Rest<M, P>) => Promise<Answer<M, P>>;

/** Parameters and body of any request. */
interface Values {
  path?: Record<string, string>;
  header?: Record<string, string>;
  query?: Record<string, unknown>;
  body?: unknown;
}

export function asker(session: Pick<Session, "token" | "renew">, fetch: Fetch): Ask {
  const ask = async (method: Method, path: string, given: Values = {}): Promise<unknown> => {
    const address = addressOf(path, given.path, given.query);
    // With it a POST whose answer was lost can be sent again and is done once.
    const key = method === "POST" ? crypto.randomUUID?.() : undefined;
    const send = async (token: string) => {
      try {
        return await fetch(address, {
          method,
          headers: {
            ...given.header,
            Authorization: `Bearer ${token}`,
            ...(given.body === undefined ? {} : { "Content-Type": "application/json" }),
            ...(key ? { "Idempotency-Key": key } : {}),
          },
          ...(given.body === undefined ? {} : { body: JSON.stringify(given.body) }),
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
    return response.status === 200 || response.status === 201 ? response.json() : undefined;
  };
  // The types of the document say what of this goes together.
  return ask as Ask;
}
