//! Messages to a coordinator with users, trunks, and media that only answers: an input is a row of them, as for
//! [`super::endpoint`].

use std::time::Duration;

use super::Target;
use super::endpoint::{messages, request, row};
use crate::sim::{Conditions, GATEWAY, World, sdp};
use std::net::SocketAddr;

/// See the module.
pub const TARGET: Target = Target {
    name: "coordinator",
    seeds,
    words: super::message::WORDS,
    run,
};

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = super::message::seeds()
        .into_iter()
        .take(60)
        .map(|m| row(&[m]))
        .collect();
    let at = SocketAddr::new([192, 0, 2, 99].into(), 5060);
    let sdp_lines = "Content-Type: application/sdp\r\n";
    let numbers = ["9196", "2000", "4000", "1001", "7"];
    for kind in [sdp::Kind::Phone, sdp::Kind::Browser] {
        for direction in ["sendrecv", "sendonly", "inactive"] {
            let offer = sdp::offer(kind, at, direction, 1);
            for number in numbers {
                let to = |message: Vec<u8>| -> Vec<u8> {
                    String::from_utf8_lossy(&message)
                        .replace("sip:1001@", &format!("sip:{number}@"))
                        .into_bytes()
                };
                seeds.push(row(&[
                    to(request("INVITE", "peer", 1, "", sdp_lines, &offer)),
                    to(request("CANCEL", "peer", 1, "", "", "")),
                    to(request("ACK", "peer", 1, "", "", "")),
                ]));
                seeds.push(row(&[
                    to(request("INVITE", "peer", 1, "", "", "")),
                    to(request("ACK", "peer", 1, "", sdp_lines, &offer)),
                    to(request("BYE", "peer", 2, "", "", "")),
                ]));
            }
        }
    }
    let watches = "Event: dialog\r\nExpires: 60\r\nAccept: application/dialog-info+xml\r\n";
    let offer = sdp::offer(sdp::Kind::Phone, at, "sendrecv", 1);
    seeds.push(row(&[
        request("SUBSCRIBE", "watcher", 1, "", watches, ""),
        request("INVITE", "peer", 1, "", sdp_lines, &offer),
        request("SUBSCRIBE", "watcher", 2, "", &watches.replace("60", "0"), ""),
        request("BYE", "peer", 2, "", "", ""),
    ]));
    // From the browser, which speaks for its user.
    let pidf = "<?xml version='1.0'?><presence xmlns='urn:ietf:params:xml:ns:pidf' entity='sip:1001@h'><tuple id='t'><status><basic>open\
                </basic></status><note>a &amp; b</note></tuple><p:person><r:activities><r:away/></r:activities></p:person></presence>";
    let own = |message: Vec<u8>| -> Vec<u8> {
        String::from_utf8_lossy(&message)
            .replace("From: <sip:bob@", "From: <sip:1001@")
            .into_bytes()
    };
    let kind = "Event: presence\r\nContent-Type: application/pidf+xml\r\nExpires: 60\r\n";
    seeds.push(row(&[
        request(
            "SUBSCRIBE",
            "watcher",
            1,
            "",
            "Event: presence\r\nExpires: 60\r\n",
            "",
        ),
        own(request("PUBLISH", "presence", 1, "", kind, pidf)),
        own(request(
            "PUBLISH",
            "presence",
            2,
            "",
            "Event: presence\r\nSIP-If-Match: x\r\n",
            "",
        )),
        request("SUBSCRIBE", "regs", 1, "", "Event: reg\r\nExpires: 60\r\n", ""),
    ]));
    let text = "Content-Type: text/plain\r\nExpires: 600\r\nSubject: x\r\n";
    seeds.push(row(&[
        request("MESSAGE", "one", 1, "", text, "hello"),
        request("MESSAGE", "two", 1, "", text, "there"),
        request("INVITE", "peer", 1, "", sdp_lines, &offer),
        request("MESSAGE", "peer", 2, "", text, "in a call"),
        request("INFO", "peer", 3, "", text, "in a call"),
    ]));
    for method in ["OPTIONS", "REGISTER", "MESSAGE", "SUBSCRIBE", "PUBLISH"] {
        seeds.push(row(&[request(method, "alone", 1, "", "Expires: 60\r\n", "")]));
    }
    seeds
}

/// Whatever comes from a trunk and over a WebSocket, the books of sessions, legs and bridges are right, and once the caller
/// is gone nothing is left.
pub fn run(input: &[u8]) {
    sessions(input);
}

/// Number of sessions that the messages of all seeds begin.
#[must_use]
pub fn reach() -> usize {
    seeds().iter().map(|seed| sessions(seed)).sum()
}

fn sessions(input: &[u8]) -> usize {
    let mut world = World::new(11, Conditions::perfect(), None);
    world.strangers = true;
    world.wire.blind = true;
    let hand = world.hand();
    let tab = world.browser("1001");
    world.agents[hand].silent = true;
    world.agents[tab].silent = true;
    for (first, message) in messages(input) {
        let from = if first & 2 == 0 { hand } else { tab };
        world.throw(from, message);
        world.run(Duration::from_millis(u64::from(first)));
    }
    world.vanish(tab, true);
    world.run(Duration::from_secs(1));
    let left: Vec<_> = world.nodes[GATEWAY].coordinator.sessions().collect();
    for session in left {
        world.hang_up(GATEWAY, session);
    }
    for node in 1..world.nodes.len() {
        let left: Vec<_> = world.nodes[node].coordinator.sessions().collect();
        for session in left {
            world.hang_up(node, session);
        }
    }
    world.run(Duration::from_secs(4_000));
    for node in &world.nodes {
        node.assert_empty();
    }
    world.nodes[GATEWAY].records.len()
}
