// Requests as docs/openapi.json describes them: for each method and path, the parameters and the body it takes and the answer it gives.
import type { paths } from "../../types/api";

export type Method = "GET" | "POST" | "PUT" | "DELETE";

/** Paths below /api/v1 that know this method, with the names of their parameters: "/calls/{id}/notes". */
export type Path<M extends Method> = {
  [P in keyof paths]: P extends `/api/v1${infer Rest}` ? (paths[P] extends Record<Lowercase<M>, object> ? Rest : never) : never;
}[keyof paths];

type Operation<M extends Method, P extends string> = `/api/v1${P}` extends infer Whole extends keyof paths
  ? Lowercase<M> extends infer Verb extends keyof paths[Whole]
    ? paths[Whole][Verb]
    : never
  : never;

type PathOf<O> = O extends { parameters: { path: infer T; header: infer H } }
  ? { path: T; header: H }
  : O extends { parameters: { path: infer T } }
    ? { path: T; header?: undefined }
    : O extends { parameters: { header: infer H } }
      ? { path?: undefined; header: H }
      : { path?: undefined; header?: undefined };
type QueryOf<O> = O extends { parameters: { query?: infer T } } ? { query?: T } : { query?: undefined };
type BodyOf<O> = O extends { requestBody: { content: { "application/json": infer T } } }
  ? { body: T }
  : O extends { requestBody?: { content: { "application/json": infer T } } }
    ? { body?: T }
    : { body?: undefined };

/** Parameters and body of a request. */
export type Given<M extends Method, P extends string> = PathOf<Operation<M, P>> &
  QueryOf<Operation<M, P>> &
  BodyOf<Operation<M, P>>;

/** Arguments after method and path: none are needed where the request takes nothing. */
export type Rest<M extends Method, P extends string> =
  Record<string, never> extends Given<M, P> ? [given?: Given<M, P>] : [given: Given<M, P>];

type Json<O, Code extends number> = O extends { responses: Record<Code, { content: { "application/json": infer T } }> }
  ? T
  : never;

/** Body of the answer, where one comes with 200 or 201. */
export type Answer<M extends Method, P extends string> = Json<Operation<M, P>, 200> | Json<Operation<M, P>, 201> extends infer T
  ? [T] extends [never]
    ? undefined
    : T
  : never;

/** Path and query with the values in their places, escaped. */
export function addressOf(path: string, values: Record<string, string> = {}, query: Record<string, unknown> = {}): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(values[name] ?? ""));
  const asked = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
  if (asked.length === 0) return filled;
  return `${filled}?${new URLSearchParams(asked.map(([name, value]) => [name, String(value)]))}`;
}
