//! The offers of the calling side, the answers of the phone, and what the load generator reads from the other's.

use std::net::SocketAddr;

use super::stun::Credentials;
use super::{Codec, Outcome};

/// Offer of a caller.
pub(crate) struct Local<'a> {
    pub(crate) codec: Codec,
    pub(crate) address: SocketAddr,
    /// ICE credentials and DTLS fingerprint; nothing for plain RTP.
    pub(crate) secure: Option<(&'a Credentials, &'a str)>,
}

impl Local<'_> {
    /// An offer (also the answer of a phone, which has no DTLS role to choose).
    pub(crate) fn describe(&self) -> String {
        let (ip, port) = (self.address.ip(), self.address.port());
        let payload_type = self.codec.payload_type();
        let map = match self.codec {
            Codec::Pcmu => "a=rtpmap:0 PCMU/8000\r\n".to_string(),
            Codec::Opus => {
                format!(
                    "a=rtpmap:{payload_type} opus/48000/2\r\na=fmtp:{payload_type} minptime=10;useinbandfec=1\r\n"
                )
            }
        };
        let (group, profile, security) = match self.secure {
            None => ("", "RTP/AVP", String::new()),
            Some((ice, fingerprint)) => (
                "a=group:BUNDLE 0\r\n",
                "UDP/TLS/RTP/SAVPF",
                format!(
                    "a=mid:0\r\na=ice-ufrag:{}\r\na=ice-pwd:{}\r\na=candidate:1 1 udp 2122260223 {ip} {port} typ host\r\n\
                     a=fingerprint:sha-256 {fingerprint}\r\na=setup:actpass\r\na=rtcp-mux\r\n",
                    ice.ufrag, ice.password
                ),
            ),
        };
        format!(
            "v=0\r\no=- {port} 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n{group}\
             m=audio {port} {profile} {payload_type}\r\n{map}{security}a=ptime:20\r\na=sendrecv\r\n"
        )
    }
}

/// Answer of the other side.
#[derive(Debug)]
pub(crate) struct Remote {
    /// Its candidate if it has one, otherwise the address of its media line.
    pub(crate) address: SocketAddr,
    /// ICE credentials, DTLS fingerprint, and whether it begins the handshake.
    pub(crate) secure: Option<(Credentials, String, bool)>,
}

impl Remote {
    /// Reads the first audio stream.
    pub(crate) fn parse(sdp: &str) -> Outcome<Remote> {
        let value = |name: &str| {
            sdp.lines()
                .find_map(|line| line.strip_prefix(name))
                .map(str::trim)
        };
        let media = value("m=audio ").ok_or_else(|| format!("no audio in {sdp:?}"))?;
        let port = media.split(' ').next().unwrap_or_default();
        let ip = value("c=IN IP4 ").ok_or("no connection line")?;
        let mut address = format!("{ip}:{port}").parse();
        let candidates = sdp.lines().filter_map(|line| line.strip_prefix("a=candidate:"));
        for candidate in candidates {
            let fields: Vec<&str> = candidate.split_whitespace().collect();
            if let [_, "1", transport, _, ip, port, ..] = fields[..]
                && transport.eq_ignore_ascii_case("udp")
                && let Ok(found) = format!("{ip}:{port}").parse()
            {
                address = Ok(found);
                break;
            }
        }
        let secure = match (
            value("a=ice-ufrag:"),
            value("a=ice-pwd:"),
            value("a=fingerprint:sha-256 "),
        ) {
            (Some(ufrag), Some(password), Some(fingerprint)) => Some((
                Credentials {
                    ufrag: ufrag.into(),
                    password: password.into(),
                },
                fingerprint.to_string(),
                value("a=setup:") == Some("active"),
            )),
            _ => None,
        };
        Ok(Remote {
            address: address.map_err(|error| format!("{ip}:{port}: {error}"))?,
            secure,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_its_own_offers() {
        let address = "127.0.0.1:4000".parse().unwrap();
        let ice = Credentials {
            ufrag: "abcd".into(),
            password: "0123456789012345678901".into(),
        };
        let offer = Local {
            codec: Codec::Opus,
            address,
            secure: Some((&ice, "AA:BB")),
        }
        .describe();
        let remote = Remote::parse(&offer).unwrap();
        assert_eq!(remote.address, address);
        assert_eq!(remote.secure, Some((ice, "AA:BB".to_string(), false)));
        let plain = Local {
            codec: Codec::Pcmu,
            address,
            secure: None,
        }
        .describe();
        assert!(Remote::parse(&plain).unwrap().secure.is_none());
        assert!(Remote::parse("v=0\r\n").is_err());
    }
}
