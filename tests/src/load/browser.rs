//! `setup`: how long a person waits for the first sound. A real Chromium with JsSIP calls a phone that answers at once
//! and sends back what it hears, through Kamailio with rtpengine and through the gateway, in turn.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use clap::Args;

use super::align::percentile;
use super::gateway::Gateway;
use super::peers::{self, DOMAIN, PASSWORD};
use super::process::Daemon;
use super::rtpengine::RtpEngine;
use super::signalling::Phone;
use super::{Arguments, Outcome, Which};

/// Options of `setup`.
#[derive(Args)]
pub(crate) struct Options {
    /// Calls of each system, half of them in each of two rounds.
    #[arg(long, default_value_t = 12)]
    calls: usize,
}

/// Server for a browser; dropping it ends it.
enum Server {
    Peer { _proxy: Daemon, _media: RtpEngine },
    Gateway(Gateway),
}

/// Measures and prints.
pub(crate) fn run(arguments: &Arguments, options: &Options, systems: &[Which]) -> Outcome<()> {
    let mut waits: BTreeMap<bool, Vec<f64>> = BTreeMap::new();
    let mut failed = false;
    for _ in 0..2 {
        for which in systems {
            let is_peer = *which == Which::Peer;
            match call(arguments, *which, options.calls.div_ceil(2)) {
                Ok(found) => waits.entry(is_peer).or_default().extend(found),
                Err(error) => {
                    failed = true;
                    println!("{} failed: {error}", name(is_peer));
                }
            }
        }
    }
    let mut medians = BTreeMap::new();
    for (is_peer, mut found) in waits {
        found.sort_by(f64::total_cmp);
        let median = percentile(&found, 0.5);
        println!(
            "{}: INVITE to first audio packet, median {median:.1} ms of {} calls ({:.1} to {:.1})",
            name(is_peer),
            found.len(),
            found[0],
            found[found.len() - 1]
        );
        medians.insert(is_peer, median);
    }
    if let (Some(own), Some(peer)) = (medians.get(&false), medians.get(&true)) {
        println!("setup ratio {:.2}", own / peer);
    }
    if failed {
        Err("not everything could be measured".into())
    } else {
        Ok(())
    }
}

fn name(is_peer: bool) -> &'static str {
    if is_peer {
        "kamailio+rtpengine"
    } else {
        "cordboard"
    }
}

/// The waits of some calls, milliseconds.
fn call(arguments: &Arguments, which: Which, calls: usize) -> Outcome<Vec<f64>> {
    let _phone = Phone::with(
        arguments,
        &["-sn", "uas", "-mi", "127.0.0.1", "-mp", "29996", "-rtp_echo"],
    )?;
    let (server, target) = match (which, &arguments.peers) {
        (Which::Peer, None) => return Err("no peers".into()),
        (Which::Peer, Some(folder)) => {
            let _media = RtpEngine::start(folder)?;
            let _proxy = peers::start_kamailio(folder, "e2e/kamailio.cfg", "kamailio")?;
            (Server::Peer { _proxy, _media }, format!("sip:echo@{DOMAIN}"))
        }
        (Which::Gateway, _) => {
            let users = ["alice".to_string()];
            let gateway = Gateway::start(&arguments.gateway, &arguments.scratch, peers::PHONE, &users)?;
            (Server::Gateway(gateway), format!("sip:5550100@{DOMAIN}"))
        }
    };
    let websocket = match &server {
        Server::Peer { .. } => format!("ws://{}", peers::BROWSER_WS),
        Server::Gateway(gateway) => format!("ws://{}/ws", gateway.http),
    };
    let options = format!(
        "{{\"ws\":\"{websocket}\",\"uri\":\"sip:alice@{DOMAIN}\",\"password\":\"{PASSWORD}\",\
         \"target\":\"{target}\",\"calls\":{calls}}}"
    );
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/setup_time.mjs");
    let mut command = Command::new("timeout");
    command
        .args(["90", "node"])
        .arg(script)
        .arg(options)
        .stdin(Stdio::null());
    if let Some(peers) = &arguments.peers {
        command.env("CORDBOARD_PEERS", peers);
    }
    let output = command.output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_string().into());
    }
    let wait = |line: &str| {
        let (_, rest) = line.split_once("\"ms\":")?;
        rest.split([',', '}']).next()?.parse::<f64>().ok()
    };
    let waits: Vec<f64> = String::from_utf8(output.stdout)?
        .lines()
        .filter_map(wait)
        .collect();
    if waits.len() == calls {
        Ok(waits)
    } else {
        Err(format!("{} of {calls} calls", waits.len()).into())
    }
}
