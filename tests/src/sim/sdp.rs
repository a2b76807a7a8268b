//! Session descriptions as browsers and plain phones write them, for agents that only signal.

use std::net::SocketAddr;

/// Author of a description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// ICE and DTLS-SRTP.
    Browser,
    /// Plain RTP.
    Phone,
}

/// An offer.
#[must_use]
pub fn offer(kind: Kind, address: SocketAddr, direction: &str, version: u32) -> String {
    body(kind, address, direction, version, "actpass", "0")
}

/// An answer to `offer`.
#[must_use]
pub fn answer(kind: Kind, address: SocketAddr, offer: &[u8], direction: &str, version: u32) -> String {
    let mid = value(offer, "a=mid:").unwrap_or_else(|| "0".into());
    let setup = match value(offer, "a=setup:").as_deref() {
        Some("active") => "passive",
        _ => "active",
    };
    body(kind, address, direction, version, setup, &mid)
}

fn body(kind: Kind, address: SocketAddr, direction: &str, version: u32, setup: &str, mid: &str) -> String {
    let (ip, port) = (address.ip(), 30_000 + address.port() % 1_000 * 2);
    let head = format!("v=0\r\no=- 4611731400430051336 {version} IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n");
    match kind {
        Kind::Phone => format!(
            "{head}c=IN IP4 {ip}\r\nm=audio {port} RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\n\
             a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na={direction}\r\n"
        ),
        Kind::Browser => format!(
            "{head}a=group:BUNDLE {mid}\r\na=msid-semantic: WMS stream\r\n\
             m=audio {port} UDP/TLS/RTP/SAVPF 111 0 8 110 101\r\nc=IN IP4 {ip}\r\na=rtcp:9 IN IP4 0.0.0.0\r\n\
             a=candidate:1 1 udp 2122260223 {ip} {port} typ host generation 0\r\n\
             a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\na=ice-options:trickle\r\n\
             a=fingerprint:sha-256 D2:FA:0E:C3:22:59:5E:14:95:69:92:3D:13:B4:84:24:2C:C2:A2:C0:3E:FD:34:8E:5E:EA:6F:AF:52:CE:E6:0F\r\n\
             a=setup:{setup}\r\na=mid:{mid}\r\na={direction}\r\na=msid:stream track\r\na=rtcp-mux\r\na=rtcp-rsize\r\n\
             a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\na=rtpmap:0 PCMU/8000\r\n\
             a=rtpmap:8 PCMA/8000\r\na=rtpmap:110 telephone-event/48000\r\na=rtpmap:101 telephone-event/8000\r\n\
             a=ssrc:2716812081 cname:0Qh4M3dJm8b2o7Xv\r\n"
        ),
    }
}

/// The direction that a description asks for.
#[must_use]
pub fn direction(sdp: &[u8]) -> &'static str {
    let text = String::from_utf8_lossy(sdp);
    ["sendonly", "recvonly", "inactive"]
        .into_iter()
        .find(|d| text.lines().any(|line| line.trim_end() == format!("a={d}")))
        .unwrap_or("sendrecv")
}

/// The same as the other side sees it.
#[must_use]
pub fn reverse(direction: &str) -> &'static str {
    match direction {
        "sendonly" => "recvonly",
        "recvonly" => "sendonly",
        "inactive" => "inactive",
        _ => "sendrecv",
    }
}

/// Text behind the first `key`.
#[must_use]
pub fn value(sdp: &[u8], key: &str) -> Option<String> {
    String::from_utf8_lossy(sdp)
        .lines()
        .find_map(|line| line.strip_prefix(key))
        .map(|v| v.trim().to_owned())
}
