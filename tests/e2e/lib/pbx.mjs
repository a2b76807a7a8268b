// Kamailio as a PBX with users of its own: digest, registrations of phones and browsers, and calls between them.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { common, Kamailio } from "./kamailio.mjs";
import { folder, freePort } from "./process.mjs";

/** Domain of the PBX, and password of everybody there. */
export const DOMAIN = "pbx.test";
export const PASSWORD = "opensesame";

/** Address of somebody at the PBX. */
export const at = (user) => `sip:${user}@${DOMAIN}`;

/** Starts it on loopback. */
export async function startPbx(cleanup) {
  const path = folder(cleanup);
  const ip = "127.0.0.8";
  const port = await freePort(ip);
  writeFileSync(
    join(path, "kamailio.cfg"),
    `${common(ip, port, DOMAIN)}modparam("registrar", "max_expires", 3600)
modparam("auth", "nonce_expire", 300)
request_route {
  if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (has_totag()) {
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
