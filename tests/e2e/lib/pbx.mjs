// Kamailio as a PBX with users of its own: digest, registrations of phones and browsers, and calls between them.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Kamailio } from "./kamailio.mjs";
import { folder, freePort, Program } from "./process.mjs";

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
  const file = join(path, "kamailio.cfg");
  writeFileSync(
    file,
    `debug=2
log_stderror=yes
fork=yes
children=2
disable_tcp=yes
auto_aliases=no
dns=no
rev_dns=no
listen=udp:${ip}:${port}
alias="${DOMAIN}"
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/:/usr/lib/kamailio/modules/:/usr/lib64/kamailio/modules/"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "auth.so"
loadmodule "xlog.so"
modparam("usrloc", "db_mode", 0)
modparam("registrar", "max_expires", 3600)
modparam("auth", "nonce_expire", 300)
modparam("auth", "nonce_count", 1)
modparam("auth", "qop", "auth")
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
  const args = ["-DD", "-E", "-f", file, "-Y", path, "-P", join(path, "pid"), "-m", "64", "-M", "4"];
  const pbx = new Kamailio(() => new Program("kamailio", args), ip, port);
  cleanup.add(() => pbx.stop());
  await pbx.ready();
  return pbx;
}
