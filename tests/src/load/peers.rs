//! Addresses of the peers that `setup.sh` prepared, and their start.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;

use super::Outcome;
use super::process::Daemon;

const fn local(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

/// rtpengine's control port.
pub(crate) const NG: SocketAddr = local(21_000);
/// Kamailio as a proxy and registrar: UDP, and TCP with WebSocket.
pub(crate) const PROXY: SocketAddr = local(21_120);
pub(crate) const PROXY_WS: SocketAddr = local(21_121);
/// Kamailio as a browser gateway with rtpengine: WebSocket.
pub(crate) const BROWSER_WS: SocketAddr = local(21_101);
/// Address that both Kamailios, and the gateway under test, send calls to: the phone.
pub(crate) const PHONE: SocketAddr = local(21_200);

/// The password of every user, and the domain: what the peers' configuration accepts.
pub(crate) const PASSWORD: &str = "secret";
pub(crate) const DOMAIN: &str = "gw.test";

/// Starts Kamailio with one of the peers' configurations; `name` is that of its pid file.
pub(crate) fn start_kamailio(peers: &Path, config: &str, name: &str) -> Outcome<Daemon> {
    // Relative to the folder, as the script wants it: Kamailio would take an absolute one for that of another instance.
    let pid_file = format!("run/{name}.pid");
    let mut script = Command::new(peers.join("e2e/start_kamailio.sh"));
    script.arg(config).arg(&pid_file);
    Daemon::by_script(script, &peers.join(pid_file))
}
