// The API of a gateway, as somebody who signed in uses it.
import assert from "node:assert/strict";
import { until } from "./wait.mjs";

export class Api {
  static async signIn(gateway, user, password = "cordboard") {
    const api = new Api(gateway.page);
    const { access_token } = await api.ask("POST", "/auth/login", { user, password });
    api.token = access_token;
    return api;
  }

  constructor(page) {
    this.base = new URL("/api/v1", page).href;
  }

  /** Asks for something that is to succeed, and returns what came back. */
  async ask(method, path, body) {
    const response = await fetch(this.base + path, {
      method,
      headers: {
        ...(this.token ? { authorization: `Bearer ${this.token}` } : {}),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`);
    return text ? JSON.parse(text) : undefined;
  }

  available() {
    return this.ask("PUT", "/me/agent/intent", { intent: "available" });
  }

  agent() {
    return this.ask("GET", "/me/agent");
  }

  /** Waits until the agent is in this status. */
  status(status, timeout = 10_000) {
    let seen;
    return until(
      `the agent is ${status}`,
      async () => {
        seen = (await this.agent()).status;
        return seen === status;
      },
      timeout,
    ).catch((error) => {
      throw new Error(`${error.message}; the agent is ${seen}`);
    });
  }

  /** The one call that there is, once it is in this state. */
  call(state, timeout = 10_000) {
    let seen;
    return until(
      `the call is ${state}`,
      async () => {
        seen = (await this.ask("GET", "/calls")).items;
        return seen.length === 1 && seen[0].state === state ? seen[0] : undefined;
      },
      timeout,
    ).catch((error) => {
      throw new Error(`${error.message}; there is ${JSON.stringify(seen)}`);
    });
  }
}
