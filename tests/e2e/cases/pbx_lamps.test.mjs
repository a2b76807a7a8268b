// Lamps and message lights of browsers at a PBX behind the gateway: Kamailio's presence server, with JsSIP and SIP.js as they are.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { at, DOMAIN, PASSWORD, startPbx, TELLS } from "../lib/pbx.mjs";
import { Publisher } from "../lib/publisher.mjs";
import { scene } from "../lib/scene.mjs";
import { Cleanup, until } from "../lib/wait.mjs";

/** Seconds that the PBX grants: libraries ask again a little before. */
const GRANTED = 12;
const DIALOG = "application/dialog-info+xml";
const SUMMARY = "application/simple-message-summary";
const whole = new Cleanup();
after(() => whole.run());

/** The state of a call at somebody's phone, as the PBX is told it. */
const phoneIs = (user, state, call = "1") => `<?xml version="1.0"?>
<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="1" state="full" entity="${at(user)}">
  <dialog id="${call}" direction="recipient"><state>${state}</state></dialog>
</dialog-info>
`;
const messages = (count) => `Messages-Waiting: ${count > 0 ? "yes" : "no"}\r\nVoice-Message: ${count}/0\r\n`;

for (const library of ["jssip", "sipjs"]) {
  describe(library, () => {
    let pbx;
    const stage = scene({
      config: async () => {
        pbx = await startPbx(whole, { presence: GRANTED });
        return `upstream = "pbx"
[[trunks]]
name = "pbx"
address = "${pbx.address}"
from_domain = "${DOMAIN}"
`;
      },
    });
    const page = (client, user) => client("chromium", { user, password: PASSWORD, uri: at(user), library });

    /** A subscription of a page. */
    const watch = async (page, user, event, accept) => {
      const index = await page.page.evaluate((...args) => client.watch(...args), at(user), event, accept);
      const of = (name) => page.page.evaluate((index, name) => client.watches[index][name], index, name);
      return {
        told: () => of("told"),
        over: () => of("over"),
        do: (verb) => page.page.evaluate((index, verb) => void client.watches[index][verb](), index, verb),
        async shows(pattern) {
          let told = [];
          await until(`the page is told ${pattern}`, async () => {
            told = await of("told");
            return pattern.test(told.at(-1) ?? "");
          }).catch((error) => {
            throw new Error(`${error.message}\n${told.join("\n")}\n${pbx.program.output().slice(-2000)}`);
          });
        },
      };
    };

    test(
      "a lamp shows what the PBX tells, is refreshed, and goes out",
      stage.play(async ({ client, cleanup }) => {
        const desk = await Publisher.start(cleanup, TELLS, pbx.address);
        const alice = await page(client, "alice");
        const lamp = await watch(alice, "bob", "dialog", DIALOG);
        await pbx.program.says(/SUBSCRIBE from alice to dialog of bob expires 600/);
        const tells = async (state) => {
          await desk.tell(at("bob"), "dialog", DIALOG, phoneIs("bob", state));
          await lamp.shows(new RegExp(`<state>${state}</state>`));
        };
        await tells("early");
        await tells("confirmed");
        const asked = () => pbx.program.err.match(/SUBSCRIBE from alice to dialog of bob expires [1-9]/g).length;
        await until("the PBX is asked again", () => asked() >= 2, GRANTED * 1000);
        await tells("terminated");
        await lamp.do("end");
        await pbx.program.says(/SUBSCRIBE from alice to dialog of bob expires 0/);
        await until("the subscription is over", lamp.over);
        const told = (await lamp.told()).length;
        const other = await Publisher.start(cleanup, TELLS, pbx.address);
        await other.tell(at("bob"), "dialog", DIALOG, phoneIs("bob", "early", "2"));
        // Another lamp shows it, and by then this one would have shown it too.
        const second = await watch(alice, "bob", "dialog", DIALOG);
        await second.shows(/<state>early<\/state>/);
        assert.equal((await lamp.told()).length, told);
      }),
    );

    test(
      "a message light shows what is in the mailbox",
      stage.play(async ({ client, cleanup }) => {
        const mailbox = await Publisher.start(cleanup, TELLS, pbx.address);
        const carol = await page(client, "carol");
        await mailbox.tell(at("carol"), "message-summary", SUMMARY, messages(2));
        const light = await watch(carol, "carol", "message-summary", SUMMARY);
        await light.shows(/Voice-Message: 2\/0/);
        await mailbox.tell(at("carol"), "message-summary", SUMMARY, messages(0));
        await light.shows(/Messages-Waiting: no/);
      }),
    );

    test(
      "an event that the PBX does not tell is refused, and leaves the lamp of another one",
      stage.play(async ({ client }) => {
        const dave = await page(client, "dave");
        const lamp = await watch(dave, "erin", "dialog", DIALOG);
        await pbx.program.says(/SUBSCRIBE from dave to dialog of erin expires 600/);
        const none = await watch(dave, "erin", "presence", "application/pidf+xml");
        await pbx.program.says(/SUBSCRIBE from dave to presence of erin/);
        await until("it is refused", none.over);
        assert.deepEqual(await none.told(), []);
        assert.equal(await lamp.over(), false);
      }),
    );
  });
}
