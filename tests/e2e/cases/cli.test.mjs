// The command line: what it says, and how it ends. And the facts of the registrar, over real UDP and TCP.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import dgram from "node:dgram";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { certificate } from "../lib/certificate.mjs";
import { CordboardPhone, Gateway, run } from "../lib/cordboard.mjs";
import { answer } from "../lib/digest.mjs";
import { dbOfDbm0, isTone, toneIn } from "../lib/heard.mjs";
import { RtpEnd } from "../lib/media.mjs";
import { folder, freePort } from "../lib/process.mjs";
import { called, Sipp, sdp, step } from "../lib/sipp.mjs";
import { Cleanup, until } from "../lib/wait.mjs";

describe("the command", () => {
  const each = new Cleanup();
  afterEach(() => each.run());

  const file = (text, path = folder(each)) => {
    const name = join(path, "cordboard.toml");
    writeFileSync(name, text);
    return name;
  };
  const check = (text) => {
    const name = file(text);
    return run(["check", "--config", name]).then((result) => ({ ...result, lines: result.err.trim().split("\n"), name }));
  };
  /** What a gateway says that does not start. */
  const refuses = async (text, path) => {
    const { code, err } = await run(["--config", file(text, path)], { env: { CORDBOARD_STATE: join(folder(each), "state") } });
    assert.notEqual(code, 0, err);
    const lines = err
      .trim()
      .split("\n")
      .filter((line) => line.startsWith("cordboard: "));
    assert.equal(lines.length, 1, err);
    return lines[0];
  };

  test("says its version and its help", async () => {
    const version = await run(["--version"]);
    assert.equal(version.code, 0);
    assert.match(version.out, /^cordboard \d+\.\d+\.\d+\n$/);
    const help = await run(["--help"]);
    assert.equal(help.code, 0);
    for (const word of ["serve", "check", "phone", "--config", "--listen", "--advertise"])
      assert.ok(help.out.includes(word), word);
    const unknown = await run(["--nonsense"]);
    assert.equal(unknown.code, 2);
    assert.match(unknown.err, /--nonsense/);
  });

  test("checks a file: a good one", async () => {
    const { code, out } = await check('ring_timeout = 20\n[[users]]\nname = "alice"\npassword = "secret"\n');
    assert.deepEqual([code, /: no errors\n$/.test(out)], [0, true]);
  });

  test("checks a file: every mistake with its place", async () => {
    const { code, lines, name } = await check(`ring_timeout = 1
[http]
listne = "127.0.0.1:80"
[sip]
udp = "here"
[[dial]]
match = "0("
trunk = "carrier"
`);
    assert.equal(code, 1);
    const places = lines.map((line) => (line.startsWith(`${name}:`) ? line.slice(name.length + 1).split(": ")[0] : line));
    assert.deepEqual(places, ["1:16", "3:1", "5:7", "7:9", "8:9"], lines.join("\n"));
    assert.match(lines[1], /unknown key `listne` in \[http\]; did you mean `listen`\?/);
    assert.match(lines[2], /e\.g\. "0\.0\.0\.0:5060"/);
  });

  test("checks a file: broken TOML, and one that is not there", async () => {
    const broken = await check("[http\n");
    assert.equal(broken.code, 1);
    assert.match(broken.err, /cordboard\.toml:1:\d+: /);
    const missing = await run(["check", "--config", "/nowhere/cordboard.toml"]);
    assert.equal(missing.code, 1);
    assert.match(missing.err, /^\/nowhere\/cordboard\.toml: cannot be read/);
  });

  test("does not start with an unknown key or a bad certificate, and says so in a line", async () => {
    assert.match(await refuses('domians = "example.com"\n'), /:1:1: unknown key `domians`; did you mean `domains`\?$/);
    const path = folder(each);
    const { key } = certificate(path);
    const other = certificate(folder(each));
    writeFileSync(join(path, "bad.pem"), "nonsense\n");
    const sip = (cert) => `[sip]\ntls = "127.0.0.1:0"\ncertificate = "${cert}"\nkey = "${key}"\n`;
    assert.match(await refuses(sip("bad.pem"), path), /:3:15: .*certificate/);
    assert.match(await refuses(sip("missing.pem"), path), /:3:15: .*missing\.pem cannot be read/);
    assert.match(await refuses(sip(other.cert), path), /:4:7: .*must be the key of the first certificate/);
  });

  test("does not start on ports in use, and names them", async () => {
    const ports = { http: await freePort(), sip: await freePort(), browser: await freePort() };
    const text = `[http]
listen = "127.0.0.1:${ports.http}"
[sip]
udp = "127.0.0.1:${ports.sip}"
tcp = "127.0.0.1:${ports.sip}"
[media]
browser_port = ${ports.browser}
browser_addresses = "127.0.0.1"
phone_ports = "24000-24099"
`;
    const tcp = async (port) => {
      const server = net.createServer();
      await new Promise((resolve, reject) => server.once("error", reject).listen(port, "127.0.0.1", resolve));
      return () => new Promise((resolve) => server.close(resolve));
    };
    const udp = async (port) => {
      const socket = dgram.createSocket("udp4");
      await new Promise((resolve, reject) => socket.once("error", reject).bind(port, "127.0.0.1", resolve));
      return () => new Promise((resolve) => socket.close(resolve));
    };
    for (const [take, port, named] of [
      [tcp, ports.http, "HTTP"],
      [udp, ports.sip, "UDP"],
      [tcp, ports.sip, "TCP"],
      [udp, ports.browser, ""],
    ]) {
      const free = await take(port);
      try {
        const line = await refuses(text);
        assert.ok(line.includes(named) && line.includes(`127.0.0.1:${port}`), line);
        assert.match(line, /in use/, line);
      } finally {
        await free();
      }
    }
  });

  test("a state folder has one gateway, and what is wrong with it is told", async () => {
    const state = join(folder(each), "state");
    const gateway = await Gateway.start(each, "", { env: { CORDBOARD_STATE: state } });
    await assert.rejects(
      Gateway.start(each, "", { env: { CORDBOARD_STATE: state } }),
      /cordboard\.db is in use by another gateway.*--state/,
    );
    await gateway.program.stop("SIGKILL");
    await Gateway.start(each, "", { env: { CORDBOARD_STATE: state } });
    await assert.rejects(
      Gateway.start(each, "", { env: { CORDBOARD_STATE: "/proc/nowhere" } }),
      /cordboard: store: .*\/proc\/nowhere/,
    );
    const homeless = await Gateway.start(each, "", {
      env: { CORDBOARD_STATE: undefined, XDG_STATE_HOME: undefined, HOME: undefined },
    });
    assert.match(homeless.program.err, /nothing will outlive this process.*--state/);
  });

  test("ends within seconds at SIGTERM, and its calls with BYE", async () => {
    const trunk = { ip: "127.0.0.2", port: await freePort("127.0.0.2") };
    const gateway = await Gateway.start(
      each,
      `[[users]]
name = "1001"
password = "secret"
[[trunks]]
name = "carrier"
address = "${trunk.ip}:${trunk.port}"
[[dial]]
match = "0(Z.)"
trunk = "carrier"
`,
    );
    const end = await RtpEnd.open(each, trunk.ip);
    const sipp = await Sipp.called(each, { ...trunk, steps: [called.invite(), called.answer(sdp(end)), step.expect("BYE")] });
    const calling = CordboardPhone.start(each, gateway, "030123", { user: "1001", tone: 700 });
    await end.hears(700, 0.5);
    gateway.program.signal("SIGTERM");
    const [ended] = await Promise.all([gateway.program.end(3_000), sipp.succeeds(), calling.end(8_000)]);
    assert.equal(ended.code, 0, ended.err);
    // Its log is a file here, so it has no colours.
    assert.match(ended.err, /stopping/);
    assert.ok(!ended.err.includes("\u001b"), ended.err);
    assert.match((await calling.program.ended).out, /final code 200/);
  });

  test("speaks TLS with a certificate of our own, and not with strangers", async () => {
    const { cert, key } = certificate(folder(each));
    const port = await freePort();
    const gateway = await Gateway.start(each, "", { sip: `tls = "127.0.0.1:${port}"\ncertificate = "${cert}"\nkey = "${key}"` });
    const overTls = { sip: `127.0.0.1:${port}` };
    const options = { user: "1004", password: "cordboard", tone: 700, args: ["--transport", "tls"] };
    const calling = CordboardPhone.start(each, overTls, "9196", { ...options, env: { SSL_CERT_FILE: cert } });
    await calling.hears(700, 1);
    const { code, out } = await calling.hangUp();
    assert.equal(code, 0, out);
    const { samples, rate } = calling.heard();
    isTone(assert, toneIn(samples, rate, 700), { frequency: 700, db: dbOfDbm0(-10), seconds: 0.8 });
    const stranger = CordboardPhone.start(each, overTls, "9196", {
      ...options,
      env: { SSL_CERT_FILE: certificate(folder(each)).cert },
    });
    const refused = await stranger.end();
    assert.equal(refused.code, 1);
    assert.match(refused.err, /^cordboard: cannot register: /m);
    assert.equal(gateway.program.over, undefined);
  });

  test("phone: a wrong password, an unknown number, nobody at home", async () => {
    const gateway = await Gateway.start(each);
    const phone = (target, options) =>
      CordboardPhone.start(each, gateway, target, { user: "1004", password: "cordboard", ...options }).end();
    const wrong = await phone("9196", { password: "guess" });
    assert.equal(wrong.code, 1);
    assert.match(wrong.err, /^cordboard: cannot register: .*\b(401|403)\b/m);
    for (const nobody of ["nobody", "12"]) {
      const unknown = await phone(nobody);
      assert.equal(unknown.code, 1);
      assert.match(unknown.err, /^cordboard: call failed: .*\b404\b/m);
    }
    const away = await phone("1002");
    assert.equal(away.code, 1);
    assert.match(away.err, /^cordboard: call failed: .*\b480\b/m);
    const bad = await run(["phone", "--transport", "pigeon", "9196"]);
    assert.equal(bad.code, 1);
    assert.match(bad.err, /^cordboard: --transport pigeon: not one of udp, tcp, tls$/m);
  });
});

/** A wire to the gateway that carries SIP text: sends a request and waits for its final response. */
class Wire {
  static async udp(cleanup, port) {
    const socket = dgram.createSocket("udp4");
    await new Promise((resolve) => socket.bind(0, "127.0.0.1", resolve));
    cleanup.add(() => new Promise((resolve) => socket.close(resolve)));
    const wire = new Wire("UDP", socket.address().port, (text) => socket.send(text, port, "127.0.0.1"));
    socket.on("message", (data) => wire.#receive(data.toString("latin1")));
    return wire;
  }

  static async tcp(cleanup, port) {
    const socket = net.connect(port, "127.0.0.1");
    await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    cleanup.add(() => socket.destroy());
    const wire = new Wire("TCP", socket.localPort, (text) => socket.write(text));
    let buffer = "";
    socket.on("error", () => undefined).on("close", () => (wire.closed = true));
    socket.on("data", (data) => {
      buffer += data.toString("latin1");
      for (;;) {
        const end = buffer.indexOf("\r\n\r\n");
        if (end < 0) return;
        const length = end + 4 + Number(/^content-length:\s*(\d+)/im.exec(buffer.slice(0, end))?.[1] ?? 0);
        if (buffer.length < length) return;
        wire.#receive(buffer.slice(0, length));
        buffer = buffer.slice(length);
      }
    });
    return wire;
  }

  constructor(transport, port, send) {
    this.transport = transport;
    this.port = port;
    this.send = send;
    this.messages = [];
    this.cseq = Math.floor(Math.random() * 1000);
    this.id = Math.random().toString(36).slice(2);
  }

  #receive(text) {
    this.messages.push(text);
  }

  /** { status, header(name), all(name) } */
  async ask(method, uri, { user = "1001", headers = [] } = {}) {
    const branch = `z9hG4bK${Math.random().toString(36).slice(2)}`;
    this.cseq++;
    this.send(
      [
        `${method} ${uri} SIP/2.0`,
        `Via: SIP/2.0/${this.transport} 127.0.0.1:${this.port};branch=${branch};rport`,
        "Max-Forwards: 70",
        `From: <sip:${user}@127.0.0.1>;tag=${this.id}`,
        `To: <sip:${user}@127.0.0.1>`,
        `Call-ID: ${this.id}`,
        `CSeq: ${this.cseq} ${method}`,
        ...headers,
        "Content-Length: 0",
        "",
        "",
      ].join("\r\n"),
    );
    const text = await until(`the answer to ${method}`, () =>
      this.messages.find((text) => text.includes(branch) && /^SIP\/2\.0 [2-6]/.test(text)),
    );
    const all = (name) => [...text.matchAll(new RegExp(`^${name}:\\s*(.*)\\r$`, "gim"))].map(([, value]) => value);
    return { status: Number(text.slice(8, 11)), text, all, header: (name) => all(name)[0] };
  }

  /** REGISTER, challenged and answered. */
  async register(gateway, headers, { user = "1001", password = "cordboard" } = {}) {
    const uri = `sip:${gateway.sip}`;
    const challenged = await this.ask("REGISTER", uri, { user, headers });
    assert.equal(challenged.status, 401, challenged.text);
    const authorization = answer(challenged.header("WWW-Authenticate"), { method: "REGISTER", uri, username: user, password });
    return this.ask("REGISTER", uri, { user, headers: [...headers, `Authorization: ${authorization}`] });
  }
}

describe("the registrar", () => {
  const whole = new Cleanup();
  const each = new Cleanup();
  let gateway;
  before(async () => {
    gateway = await Gateway.start(whole);
  });
  afterEach(() => each.run());
  after(() => whole.run());

  for (const transport of ["udp", "tcp"]) {
    test(`over ${transport}: challenge, contacts, expiry, and no more`, async () => {
      const wire = await Wire[transport](each, gateway.port);
      const contact = (name, expires) =>
        `Contact: <sip:${name}@127.0.0.1:${wire.port};transport=${transport}>${expires === undefined ? "" : `;expires=${expires}`}`;
      const uri = `sip:${gateway.sip}`;
      const challenged = await wire.ask("REGISTER", uri, { headers: [contact("a", 60)] });
      assert.equal(challenged.status, 401);
      assert.match(challenged.header("WWW-Authenticate"), /^Digest realm="cordboard", nonce="[^"]+".*algorithm=MD5.*qop="auth"/);

      const first = await wire.register(gateway, [contact("a", 60)]);
      assert.equal(first.status, 200, first.text);
      assert.match(first.all("Contact").join(), /<sip:a@127\.0\.0\.1:\d+;transport=\w+>;expires=(60|59)/);
      const second = await wire.register(gateway, [contact("b", 120)]);
      assert.equal(second.status, 200);
      assert.deepEqual(
        [
          ...second
            .all("Contact")
            .join()
            .matchAll(/sip:(\w)@/g),
        ]
          .map(([, name]) => name)
          .sort(),
        ["a", "b"],
      );
      const asked = await wire.register(gateway, []);
      assert.deepEqual(
        [
          ...asked
            .all("Contact")
            .join()
            .matchAll(/sip:(\w)@/g),
        ]
          .map(([, name]) => name)
          .sort(),
        ["a", "b"],
      );

      const brief = await wire.register(gateway, [contact("a", 5)]);
      assert.equal(brief.status, 423, brief.text);
      assert.ok(Number(brief.header("Min-Expires")) > 5, brief.text);

      const gone = await wire.register(gateway, [contact("a", 0)]);
      assert.equal(gone.status, 200);
      assert.deepEqual(
        [
          ...gone
            .all("Contact")
            .join()
            .matchAll(/sip:(\w)@/g),
        ].map(([, name]) => name),
        ["b"],
      );
      const nobody = await wire.register(gateway, ["Contact: *", "Expires: 0"]);
      assert.equal(nobody.status, 200, nobody.text);
      assert.deepEqual(nobody.all("Contact"), []);
    });
  }

  test("refuses a wrong password, somebody else, and an old nonce says so", async () => {
    const wire = await Wire.udp(each, gateway.port);
    const contact = [`Contact: <sip:a@127.0.0.1:${wire.port}>`];
    const wrong = await wire.register(gateway, contact, { password: "guess" });
    assert.ok([401, 403].includes(wrong.status), wrong.text);
    const nobody = await wire.register(gateway, contact, { user: "nobody" });
    assert.ok([401, 403].includes(nobody.status), nobody.text);
    const uri = `sip:${gateway.sip}`;
    const { nonce } = { nonce: "000000000000000000000000000000000000000000000000000000000000000000" };
    const authorization = answer(`realm="cordboard", nonce="${nonce}"`, {
      method: "REGISTER",
      uri,
      username: "1001",
      password: "cordboard",
    });
    const stale = await wire.ask("REGISTER", uri, { headers: [...contact, `Authorization: ${authorization}`] });
    assert.equal(stale.status, 401);
    // 1002's own credentials do not register 1001.
    const challenged = await wire.ask("REGISTER", uri, { user: "1001", headers: contact });
    const other = answer(challenged.header("WWW-Authenticate"), {
      method: "REGISTER",
      uri,
      username: "1002",
      password: "cordboard",
    });
    const taken = await wire.ask("REGISTER", uri, { user: "1001", headers: [...contact, `Authorization: ${other}`] });
    assert.equal(taken.status, 403, taken.text);
  });

  test("a call is answered after a flood of nonsense", async () => {
    const wire = await Wire.udp(each, gateway.port);
    const contact = [`Contact: <sip:a@127.0.0.1:${wire.port}>`];
    for (const nonsense of [
      "",
      "\r\n\r\n",
      "\0".repeat(600),
      "INVITE",
      "INVITE sip:9196@127.0.0.1 SIP/2.0\r\n\r\n",
      "SIP/2.0 200 OK\r\n\r\n",
      "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=\r\nContent-Length: 99999999999999999999\r\n\r\n",
      `REGISTER sip:x SIP/2.0\r\n${"Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKx\r\n".repeat(900)}\r\n`,
      Buffer.from(Array.from({ length: 1200 }, (_, n) => (n * 37) & 0xff)),
    ]) {
      wire.send(nonsense);
    }
    const options = await wire.ask("OPTIONS", `sip:${gateway.sip}`);
    assert.equal(options.status, 200, options.text);
    for (const method of ["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "UPDATE", "INFO"])
      assert.ok(options.header("Allow").includes(method), method);
    // The same over a stream: that connection is closed, others are served.
    const stream = await Wire.tcp(each, gateway.port);
    stream.send("nonsense that is no message\r\n".repeat(100));
    stream.send("\r\n\r\n");
    const healthy = await Wire.tcp(each, gateway.port);
    assert.equal((await healthy.ask("OPTIONS", `sip:${gateway.sip}`)).status, 200);
    assert.equal((await wire.register(gateway, contact)).status, 200);
    assert.equal(gateway.program.over, undefined);
  });

  const protos = join(process.env.CORDBOARD_CORPORA ?? "/nonexistent", "protos-c07-sip/wire-invite.tar.xz");
  test("PROTOS does not disturb", { skip: existsSync(protos) ? false : "CORDBOARD_CORPORA has no protos-c07-sip" }, async () => {
    const path = folder(each);
    execFileSync("tar", ["-xJf", protos, "-C", path]);
    const cases = execFileSync("find", [path, "-type", "f"], { encoding: "utf8" }).trim().split("\n").sort();
    assert.ok(cases.length > 1000, `${cases.length} cases`);
    const wire = await Wire.udp(each, gateway.port);
    // Every twentieth, and after each hundred of all a question whose answer must come.
    let sent = 0;
    for (const [n, name] of cases.entries()) {
      if (n % 20) continue;
      const data = readFileSync(name);
      if (data.length > 65_000) continue;
      wire.send(data);
      if (++sent % 5 === 0) assert.equal((await wire.ask("OPTIONS", `sip:${gateway.sip}`)).status, 200, name);
    }
    assert.ok(sent > 50, `${sent} sent`);
    assert.equal((await wire.register(gateway, [`Contact: <sip:a@127.0.0.1:${wire.port}>`])).status, 200);
    assert.equal(gateway.program.over, undefined);
    const calling = CordboardPhone.start(each, gateway, "9196", { user: "1004", password: "cordboard", tone: 700 });
    await calling.hears(700, 0.5);
    assert.equal((await calling.hangUp()).code, 0);
  });
});
