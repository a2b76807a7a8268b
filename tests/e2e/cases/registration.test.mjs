// A trunk that registers, with Kamailio as the carrier: it comes up, brings calls in and out, is found again, and is given up.
import assert from "node:assert/strict";
import { after, afterEach, describe, test } from "node:test";
import { Api } from "../lib/api.mjs";
import { CordboardPhone, Gateway } from "../lib/cordboard.mjs";
import { Kamailio } from "../lib/kamailio.mjs";
import { RtpEnd } from "../lib/media.mjs";
import { freePort } from "../lib/process.mjs";
import { caller, Sipp, sdp, step } from "../lib/sipp.mjs";
import { Cleanup, until } from "../lib/wait.mjs";

const users = `[[users]]
name = "1001"
password = "a long secret"
[[users]]
name = "boss"
password = "a long secret"
roles = "admin"
`;

const trunk = (kamailio, { name = "carrier", user = "account", password = "open sesame", more = "" } = {}) => `[[trunks]]
name = "${name}"
address = "${kamailio.address}"
username = "${user}"
password = "${password}"
register = { registrar = "carrier.test", expires = 60 }
${more}
`;

const rules = `[[dial]]
match = "+493055(XXXX)"
from = "carrier"
rewrite = "$1"
user = true
[[dial]]
match = "0(.)"
rewrite = "+49$1"
trunk = "carrier"
`;

describe("a trunk that registers", () => {
  const each = new Cleanup();
  afterEach(() => each.run());
  after(() => each.run());

  /** The state of a trunk's registration as the API shows it. */
  const state = async (api, name = "carrier") => (await api.ask("GET", `/trunks/${name}`)).registration;
  const registered = (api, name) =>
    until(
      "it is registered",
      async () => {
        const shown = await state(api, name);
        return shown.state === "registered" ? shown : undefined;
      },
      15_000,
    );

  test("calls come in over the registration, and go out as the account", async () => {
    const kamailio = await Kamailio.start(each, { serviceRoute: true });
    const gateway = await Gateway.start(each, users + trunk(kamailio) + rules);
    const api = await Api.signIn(gateway, "boss", "a long secret");
    const shown = await registered(api);
    assert.equal(shown.address, "sip:account@carrier.test");
    const left = (Date.parse(shown.until) - Date.now()) / 1000;
    assert.ok(left > 20 && left <= 61, `${left} s left`);

    // Kamailio puts the Contact into the Request-URI; the number is in To.
    const answering = CordboardPhone.start(each, gateway, undefined, { user: "1001", password: "a long secret", tone: 700 });
    await answering.waits();
    const here = { ip: "127.0.0.2", port: await freePort("127.0.0.2") };
    const end = await RtpEnd.open(each, here.ip);
    const steps = [caller.call(sdp(end)), caller.expectAnswer(), step.expect("BYE")];
    const sipp = Sipp.call(each, { sip: kamailio.address }, { ...here, number: "+4930551001", steps });
    end.play(1300, { remote: await sipp.media(), amplitude: 0.2 });
    await end.hears(700, 1);
    await answering.hangUp();
    await sipp.succeeds();

    // Kamailio asks for credentials, sees the account, and is busy.
    const calling = CordboardPhone.start(each, gateway, "030123", { user: "1001", password: "a long secret" });
    await kamailio.program.says(/CALL OUT from account@carrier\.test to \+4930123/);
    await calling.end();
  });

  test("it is found again after the carrier was away, and is given up at the end", async () => {
    const kamailio = await Kamailio.start(each);
    const gateway = await Gateway.start(each, users + trunk(kamailio) + rules);
    const api = await Api.signIn(gateway, "boss", "a long secret");
    await registered(api);
    await kamailio.restart();
    await until("it is refreshed at the new one", () => kamailio.granted() > 0, 60_000);
    await gateway.program.stop();
    await kamailio.program.says(/REGISTERED account expires 0/);
  });

  test("a wrong password is told in the API and in the log", async () => {
    const kamailio = await Kamailio.start(each);
    const gateway = await Gateway.start(each, users + trunk(kamailio, { password: "wrong" }) + rules);
    const api = await Api.signIn(gateway, "boss", "a long secret");
    await gateway.program.says(/the registrar refuses the registration.*trunk="?carrier/);
    const shown = await state(api);
    assert.deepEqual([shown.state, shown.code], ["refused", 401]);
  });

  test("five hundred are up", async () => {
    const kamailio = await Kamailio.start(each);
    const many = Array.from({ length: 500 }, (_, n) => trunk(kamailio, { name: `line-${n}`, user: `4930${n}` }));
    const gateway = await Gateway.start(each, users + many.join(""));
    const began = Date.now();
    const api = await Api.signIn(gateway, "boss", "a long secret");
    await until(
      "all are registered",
      async () => {
        const page = await fetch(new URL("/metrics", gateway.page), { headers: { authorization: `Bearer ${api.token}` } });
        return (await page.text()).split(/cordboard_trunk_registered\{[^}]*\} 1\n/).length - 1 === 500;
      },
      30_000,
    );
    // How long it takes is a matter of the machine; the pace is asserted in virtual time.
    const took = (Date.now() - began) / 1000;
    console.log(`500 registrations in ${took.toFixed(1)} s`);
  });
});
