// Kamailio as a carrier: a registrar that challenges with digest, sends calls to who is registered, and says so in its log.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { folder, freePort, isBound, Program } from "./process.mjs";
import { until } from "./wait.mjs";

/** First part of every file: sockets, modules, and registrations in memory alone. */
export const common = (ip, port, domain) => `debug=2
log_stderror=yes
fork=yes
children=2
tcp_children=2
auto_aliases=no
dns=no
rev_dns=no
listen=udp:${ip}:${port}
listen=tcp:${ip}:${port}
alias="${domain}"
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
modparam("auth", "nonce_count", 1)
modparam("auth", "qop", "auth")
`;

export class Kamailio {
  /**
   * Starts it on loopback.
   * @param {{ ip?: string, password?: string, nonceExpires?: number, minExpires?: number, maxExpires?: number, inbound?: string,
   *   serviceRoute?: boolean, port?: number }} options `inbound`: address that calls for its accounts come from, which it passes on
   *   without a question; `nonceExpires`: seconds that a nonce is good for
   */
  static async start(
    cleanup,
    {
      ip = "127.0.0.9",
      password = "open sesame",
      nonceExpires = 300,
      minExpires = 0,
      maxExpires = 3600,
      inbound = "127.0.0.2",
      serviceRoute = false,
      port,
    } = {},
  ) {
    const path = folder(cleanup);
    const sip = port ?? (await freePort(ip));
    writeFileSync(
      join(path, "kamailio.cfg"),
      `${common(ip, sip, "carrier.test")}modparam("registrar", "min_expires", ${minExpires})
modparam("registrar", "max_expires", ${maxExpires})
modparam("auth", "nonce_expire", ${nonceExpires})
request_route {
  if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (has_totag()) {
    if (loose_route()) { t_relay(); exit; }
    if (is_method("ACK") && t_check_trans()) { t_relay(); }
    exit;
  }
  if (is_method("CANCEL")) { if (t_check_trans()) { t_relay(); } exit; }
  if (is_method("OPTIONS")) { sl_send_reply("200", "OK"); exit; }
  if (is_method("REGISTER")) {
    if (!pv_www_authenticate("carrier.test", "${password}", "0")) { www_challenge("carrier.test", "1"); exit; }
    consume_credentials();
    ${serviceRoute ? `append_to_reply("Service-Route: <sip:${ip}:${sip};lr>\\r\\n");` : ""}
    xlog("L_NOTICE", "REGISTERED $tU expires $hdr(Expires) contact $ct\\n");
    save("location");
    exit;
  }
  if (is_method("INVITE")) {
    record_route();
    if ($si == "${inbound}") {
      xlog("L_NOTICE", "CALL IN for $rU\\n");
      $var(number) = $rU;
      $rU = "account";
      if (!lookup("location")) { sl_send_reply("480", "Not Registered"); exit; }
      t_relay();
      exit;
    }
    if (!pv_proxy_authenticate("carrier.test", "${password}", "0")) { proxy_challenge("carrier.test", "1"); exit; }
    consume_credentials();
    xlog("L_NOTICE", "CALL OUT from $fU@$fd to $rU route $hdr(Route)\\n");
    sl_send_reply("486", "Busy Here");
    exit;
  }
  sl_send_reply("405", "Method Not Allowed");
}
`,
    );
    return Kamailio.run(cleanup, path, ip, sip);
  }

  /** Starts it with the file `kamailio.cfg` in a folder. */
  static async run(cleanup, path, ip, port) {
    const args = ["-DD", "-E", "-f", join(path, "kamailio.cfg"), "-Y", path, "-P", join(path, "pid"), "-m", "64", "-M", "4"];
    const kamailio = new Kamailio(() => new Program("kamailio", args), ip, port);
    cleanup.add(() => kamailio.stop());
    await kamailio.ready();
    return kamailio;
  }

  constructor(begin, ip, port) {
    this.begin = begin;
    this.ip = ip;
    this.port = port;
    this.address = `${ip}:${port}`;
    this.program = begin();
  }

  async ready() {
    await until("Kamailio listens", () => isBound("udp", this.ip, this.port) || this.program.over);
    if (this.program.over) throw new Error(this.program.output());
  }

  stop() {
    return this.program.stop("SIGTERM", 3_000);
  }

  /** Starts it again with nothing of what it knew. */
  async restart() {
    await this.stop();
    this.program = this.begin();
    await this.ready();
  }

  /** Number of REGISTERs that it granted, ends of registrations included. */
  granted() {
    return this.program.err.split("REGISTERED ").length - 1;
  }
}
