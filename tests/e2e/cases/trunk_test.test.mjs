// `cordboard trunk test`: a carrier that registers over TLS with encrypted media is tested to the end of a call, and mistakes are told in plain
// words. The carrier is another gateway, and where nothing but a registrar is needed, Kamailio.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { certificate } from "../lib/certificate.mjs";
import { Gateway, run } from "../lib/cordboard.mjs";
import { Kamailio } from "../lib/kamailio.mjs";
import { folder, freePort } from "../lib/process.mjs";
import { Cleanup } from "../lib/wait.mjs";

const OURS = `[[users]]
name = "anna"
password = "a long secret"
[sip]
udp = "127.0.0.1:5060"
[[dial]]
match = "."
trunk = "carrier"
`;

describe("cordboard trunk test", () => {
  const whole = new Cleanup();
  const each = new Cleanup();
  afterEach(() => each.run());
  after(() => whole.run());
  let carrier;
  let tls;
  let cert;

  before(async () => {
    const path = folder(whole);
    cert = certificate(path);
    tls = await freePort();
    const config = `[[users]]
name = "account"
password = "open sesame"
srtp = "required"
[[dial]]
match = "9196"
application = "echo"
`;
    const sip = `tls = "127.0.0.1:${tls}"\ncertificate = "${cert.cert}"\nkey = "${cert.key}"`;
    carrier = await Gateway.start(whole, config, { sip });
  });

  /** Runs the test with a file whose trunk has these lines. */
  const tested = (trunk, ...args) => {
    const file = join(folder(each), "cordboard.toml");
    writeFileSync(file, `${OURS}[[trunks]]\nname = "carrier"\n${trunk}`);
    return run(["trunk", "test", "carrier", "--config", file, ...args]);
  };
  const secure = (more = "") => `profile = "generic"
address = "127.0.0.1:${tls}"
transport = "tls"
ca = "${cert.cert}"
srtp = "required"
register = true
username = "account"
password = "open sesame"
${more}`;

  test("a carrier with TLS, registration and SRTP in ten lines works to the end of a call", async () => {
    const { code, out, err } = await tested(secure(), "--call", "9196", "--seconds", "2");
    assert.equal(code, 0, out + err);
    for (const line of [
      /^good +name +127\.0\.0\.1 leads to TLS 127\.0\.0\.1:\d+/m,
      /^good +connection +TLS 127\.0\.0\.1:\d+ is open/m,
      /^good +options +.* answers OPTIONS with 200/m,
      /^good +registration +the registrar knows sip:account@127\.0\.0\.1:\d+, with 0 contacts/m,
      /^good +call +the trunk `carrier` is registered/m,
      /^good +call +answered after \d+ ms/m,
      /^good +call +sound: \d\d+ packets sent, \d\d+ received \(G722\), 0 lost/m,
      /^The trunk `carrier` works/m,
    ])
      assert.match(out, line);
    assert.ok(!out.includes("open sesame"));
    assert.equal(carrier.endings().length, 1);
  });

  test("each mistake is told with what would be right", async () => {
    const closed = await freePort();
    const silent = await freePort();
    for (const [trunk, args, told] of [
      [secure().replace(/^ca = .*$/m, ""), [], /^WRONG +connection .*UnknownIssuer\n +-> .*`ca`/m],
      [secure('tls_name = "other.example"'), [], /^WRONG +connection .*\n +-> its certificate is for another name/m],
      [secure().replace(`:${tls}`, `:${closed}`), [], /^WRONG +connection .*refused.*\n +-> nobody listens there/m],
      [secure().replace("open sesame", "close sesame"), [], /^WRONG +registration .*\n +-> .*password/m],
      [secure().replace("127.0.0.1:", "nowhere.invalid:"), [], /^WRONG +name +nowhere\.invalid does not resolve/m],
      [`address = "127.0.0.1:${silent}"\n`, [], /^WRONG +options .*does not answer OPTIONS.*\n +-> over UDP/m],
      [secure(), ["--call", "12345"], /^WRONG +call +the call ended with 404.*\n +-> the number is not one/m],
      [
        secure().replace('srtp = "required"', 'srtp = "off"'),
        ["--call", "9196"],
        /^WRONG +call +the call ended with 488.*\n +-> codecs or encryption do not fit/m,
      ],
    ]) {
      const { code, out, err } = await tested(trunk, ...args);
      assert.equal(code, 1, out + err);
      assert.match(out, told);
    }
  });

  test("a registrar that we did not write takes the credentials, or not", async () => {
    const kamailio = await Kamailio.start(each);
    const trunk = (password) => `address = "${kamailio.address}"
username = "account"
password = "${password}"
register = { registrar = "carrier.test" }
`;
    const good = await tested(trunk("open sesame"));
    assert.equal(good.code, 0, good.out + good.err);
    assert.match(good.out, /^good +registration +the registrar knows sip:account@carrier\.test/m);
    const wrong = await tested(trunk("close sesame"));
    assert.equal(wrong.code, 1, wrong.out + wrong.err);
    assert.match(wrong.out, /^WRONG +registration .*401.*\n +-> `username` or `password` is wrong/m);
  });

  test("a trunk that is not there, and a file that is wrong, are told", async () => {
    const file = join(folder(each), "cordboard.toml");
    writeFileSync(file, `${OURS}[[trunks]]\nname = "carrier"\naddress = "127.0.0.1"\n`);
    const other = await run(["trunk", "test", "other", "--config", file]);
    assert.equal(other.code, 1);
    assert.match(other.err, /there is no trunk `other`; known: carrier/);
    const broken = await tested('profile = "acme"\n');
    assert.equal(broken.code, 1);
    assert.match(broken.err, /cordboard\.toml:\d+:\d+: trunks\.profile: there is no profile `acme`; known: bandwidth/);
  });
});
