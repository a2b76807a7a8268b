// Kamailio as a PBX with users of its own: digest, registrations of phones and browsers, calls between them, and presence.

import { copyFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { common, Kamailio } from "./kamailio.mjs";
import { folder, freePort } from "./process.mjs";

/** Domain of the PBX, and password of everybody there. */
export const DOMAIN = "pbx.test";
export const PASSWORD = "opensesame";

/** Address of somebody at the PBX. */
export const at = (user) => `sip:${user}@${DOMAIN}`;

/** Address of whatever tells the PBX states, which it takes without a question. */
export const TELLS = "127.0.0.7";
/** Empty tables, which Kamailio comes with. */
const TABLES = "/usr/share/kamailio/dbtext/kamailio";

/** Starts it on loopback; with `presence` it takes states (PUBLISH), and tells them to who subscribes, both for that many seconds at a time. */
export async function startPbx(cleanup, { presence = 0 } = {}) {
  const path = folder(cleanup);
  const ip = "127.0.0.8";
  const port = await freePort(ip);
  const { modules, requests } = presence > 0 ? withPresence(path, `sip:${ip}:${port}`, presence) : { modules: "", requests: "" };
  writeFileSync(
    join(path, "kamailio.cfg"),
    `${common(ip, port, DOMAIN)}${modules}modparam("registrar", "max_expires", 3600)
modparam("auth", "nonce_expire", 300)
request_route {
  if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
${requests}  if (has_totag()) {
    if (loose_route()) {
      if (is_method("REFER|BYE")) { xlog("L_NOTICE", "IN DIALOG $rm from $fU $hdr(Refer-To)\\n"); }
      t_relay();
      exit;
    }
    if (is_method("ACK") && t_check_trans()) { t_relay(); }
    exit;
  }
  if (is_method("CANCEL")) { if (t_check_trans()) { t_relay(); } exit; }
  if (is_method("OPTIONS")) { sl_send_reply("200", "OK"); exit; }
  if (is_method("REGISTER")) {
    if (!pv_www_authenticate("${DOMAIN}", "${PASSWORD}", "0")) { www_challenge("${DOMAIN}", "1"); exit; }
    if ($au != $tU) { sl_send_reply("403", "Forbidden"); exit; }
    consume_credentials();
    xlog("L_NOTICE", "REGISTERED $tU expires $hdr(Expires) contact $ct\\n");
    save("location");
    exit;
  }
  if (is_method("INVITE|MESSAGE")) {
    if (!pv_proxy_authenticate("${DOMAIN}", "${PASSWORD}", "0")) { proxy_challenge("${DOMAIN}", "1"); exit; }
    if ($au != $fU) { sl_send_reply("403", "Forbidden"); exit; }
    consume_credentials();
    xlog("L_NOTICE", "$rm from $fU@$fd to $rU\\n");
    record_route();
    if (!lookup("location")) { sl_send_reply("480", "Not Registered"); exit; }
    t_relay();
    exit;
  }
  sl_send_reply("405", "Method Not Allowed");
}
`,
  );
  return Kamailio.run(cleanup, path, ip, port);
}

/** The part of the file that makes a presence server of it. */
function withPresence(path, address, seconds) {
  if (!existsSync(TABLES)) throw new Error("Kamailio has no presence; tests/install tests");
  const tables = join(path, "tables");
  mkdirSync(tables);
  for (const table of ["version", "presentity", "active_watchers", "watchers"])
    copyFileSync(join(TABLES, table), join(tables, table));
  return {
    modules: `loadmodule "db_text.so"
loadmodule "presence.so"
loadmodule "presence_dialoginfo.so"
loadmodule "presence_mwi.so"
modparam("presence", "db_url", "text://${tables}")
modparam("presence", "server_address", "${address}")
modparam("presence", "subs_db_mode", 0)
modparam("presence", "max_expires", ${seconds})
`,
    requests: `  if (is_method("PUBLISH") && $si == "${TELLS}") {
    if (!t_newtran()) { sl_reply_error(); exit; }
    handle_publish();
    t_release();
    exit;
  }
  if (is_method("SUBSCRIBE")) {
    if (!has_totag()) {
      if (!pv_proxy_authenticate("${DOMAIN}", "${PASSWORD}", "0")) { proxy_challenge("${DOMAIN}", "1"); exit; }
      if ($au != $fU) { sl_send_reply("403", "Forbidden"); exit; }
      consume_credentials();
    }
    xlog("L_NOTICE", "SUBSCRIBE from $fU to $hdr(Event) of $tU expires $hdr(Expires)\\n");
    if (!t_newtran()) { sl_reply_error(); exit; }
    handle_subscribe();
    t_release();
    exit;
  }
`,
  };
}
