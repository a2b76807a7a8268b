//! The log of SIP messages, whole and in both directions, under a target of its own: `sip`, at debug.
//!
//! Secrets are masked: digest responses, other credentials, keys in SDP, and what people write to each other. A peer cannot forge lines of the log: the message is
//! indented, and control characters are escaped.

use std::fmt::{self, Write as _};
use std::net::SocketAddr;

use sip_core::flow::{Destination, Flow};
use tracing::Level;

/// Replacement for what must not be seen.
const MASK: &str = "***";

/// True if the log is enabled: otherwise nothing is formatted.
pub(crate) fn is_on() -> bool {
    tracing::enabled!(target: "sip", Level::DEBUG)
}

/// Logs a received message.
pub(crate) fn received(flow: Flow, data: &[u8]) {
    if is_on() {
        let Flow {
            transport,
            local,
            remote,
            ..
        } = flow;
        write(
            format_args!("received {} {local} <- {remote}", transport.name()),
            data,
        );
    }
}

/// Logs a message that is sent. `local` is its source address, if known.
pub(crate) fn sent(to: &Destination, local: Option<SocketAddr>, data: &[u8]) {
    let (transport, remote) = match to {
        Destination::Flow(flow) => (flow.transport, flow.remote),
        Destination::Address { transport, addr, .. } => (*transport, *addr),
    };
    write(
        format_args!("sent {} {} -> {remote}", transport.name(), Local(local)),
        data,
    );
}

/// Logs a message that could not be sent.
pub(crate) fn not_sent(to: &Destination) {
    tracing::debug!(target: "sip", ?to, "not sent: destination cannot be reached");
}

fn write(way: fmt::Arguments<'_>, data: &[u8]) {
    tracing::debug!(target: "sip", "{way}, {} bytes\n{}", data.len(), Readable(data));
}

/// A local address; unknown for a connection that is yet to be opened.
struct Local(Option<SocketAddr>);

impl fmt::Display for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(local) if local.port() != 0 => local.fmt(f),
            Some(local) => local.ip().fmt(f),
            None => f.write_str("-"),
        }
    }
}

/// A message as it is written into the log.
struct Readable<'a>(&'a [u8]);

impl fmt::Display for Readable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = String::from_utf8_lossy(self.0);
        let is_private = text.starts_with("MESSAGE ");
        let mut in_body = false;
        let mut is_secret = false;
        for (n, line) in text.lines().enumerate() {
            let line = line.trim_end_matches('\r');
            if n > 0 {
                f.write_char('\n')?;
            }
            if line.is_empty() && !(in_body && is_private) {
                in_body = true;
                continue;
            }
            f.write_str("    ")?;
            if in_body && is_private {
                return f.write_str(MASK);
            }
            if in_body {
                body_line(f, line)?;
                continue;
            }
            // A folded line continues the header above it (RFC 3261 §7.3.1).
            if !line.starts_with([' ', '\t']) {
                is_secret = has_credentials(line);
            }
            if is_secret {
                credentials(f, line)?;
            } else {
                escaped(f, line)?;
            }
        }
        Ok(())
    }
}

/// True for headers with credentials, or with a response to a challenge.
fn has_credentials(line: &str) -> bool {
    let Some((name, _)) = line.split_once(':') else {
        return false;
    };
    ["Authorization", "Proxy-Authorization", "Authentication-Info"]
        .iter()
        .any(|secret| secret.eq_ignore_ascii_case(name.trim()))
}

/// Digest parameters that identify the request (RFC 7616 §3.4 and §3.5). All others are masked: they derive
/// from the password.
const OPEN: [&str; 9] = [
    "username",
    "realm",
    "nonce",
    "uri",
    "algorithm",
    "qop",
    "nc",
    "opaque",
    "nextnonce",
];

fn credentials(f: &mut fmt::Formatter<'_>, line: &str) -> fmt::Result {
    let (name, value) = match line.split_once(':') {
        Some((name, value)) if !line.starts_with([' ', '\t']) => (Some(name), value.trim()),
        _ => (None, line.trim()),
    };
    if let Some(name) = name {
        escaped(f, name)?;
        f.write_str(": ")?;
    }
    let scheme = value
        .split_once([' ', '\t'])
        .filter(|(scheme, _)| name.is_some() && !scheme.contains(['=', ',']));
    let params = match scheme {
        Some((scheme, params)) => {
            escaped(f, scheme)?;
            f.write_char(' ')?;
            if !scheme.eq_ignore_ascii_case("Digest") {
                return f.write_str(MASK);
            }
            params
        }
        None => value,
    };
    for (n, param) in split(params).enumerate() {
        if n > 0 {
            f.write_str(", ")?;
        }
        match param.split_once('=') {
            Some((key, _)) if !OPEN.iter().any(|open| open.eq_ignore_ascii_case(key.trim())) => {
                escaped(f, key.trim())?;
                f.write_char('=')?;
                f.write_str(MASK)?;
            }
            Some(_) => escaped(f, param)?,
            None if param.is_empty() => {}
            None => f.write_str(MASK)?,
        }
    }
    Ok(())
}

/// Parts between commas that are not within quotes.
fn split(params: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escape) = (false, false);
    params
        .split(move |c| {
            let cut = c == ',' && !quoted;
            quoted ^= c == '"' && !escape;
            escape = c == '\\' && quoted && !escape;
            cut
        })
        .map(str::trim)
}

/// Masks keys in SDP: SDES (RFC 4568 §9.1) and ICE (RFC 8839 §5.4).
fn body_line(f: &mut fmt::Formatter<'_>, line: &str) -> fmt::Result {
    for (start, end) in [("a=crypto:", "inline:"), ("a=ice-pwd:", "a=ice-pwd:")] {
        if line.starts_with(start)
            && let Some(at) = line.find(end)
        {
            escaped(f, &line[..at + end.len()])?;
            return f.write_str(MASK);
        }
    }
    escaped(f, line)
}

fn escaped(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    for c in text.chars() {
        if c.is_control() && c != '\t' {
            write!(f, "{}", c.escape_default())?;
        } else {
            f.write_char(c)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readable(message: &str) -> String {
        Readable(message.as_bytes()).to_string()
    }

    #[test]
    fn what_the_password_went_into_is_masked_and_nothing_else() {
        let text = readable(
            "REGISTER sip:a SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1\r\nProxy-authorization : Digest username=\"al,ice\", \
             realm=\"r\", nonce=\"n\",uri=\"sip:a\", response=\"5ecre7\", cnonce=\"c0\", qop=auth\r\nAuthorization: Digest \
             username=\"bob\",\r\n response=\"5ecre7\"\r\nAuthorization: Bearer 5ecre7\r\nAuthorization: Basic\r\n 5ecre7\r\n\
             Authentication-Info: nextnonce=\"x\", rspauth=\"5ecre7\"\r\nContent-Length: 0\r\n\r\n",
        );
        assert!(!text.contains("5ecre7") && !text.contains("c0"), "{text}");
        for kept in [
            "REGISTER sip:a SIP/2.0",
            "username=\"al,ice\", realm=\"r\", nonce=\"n\", uri=\"sip:a\", response=***, cnonce=***, qop=auth",
            "username=\"bob\"",
            "Authorization: Bearer ***",
            "nextnonce=\"x\", rspauth=***",
            "Content-Length: 0",
        ] {
            assert!(text.contains(kept), "{kept}: {text}");
        }
    }

    #[test]
    fn keys_in_sdp_are_masked() {
        let text = readable(
            "INVITE sip:a SIP/2.0\r\n\r\nv=0\r\na=ice-ufrag:seen\r\na=ice-pwd:5ecre7\r\n\
             a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:5ecre7|2^20\r\na=sendrecv\r\n",
        );
        assert!(!text.contains("5ecre7"), "{text}");
        assert!(text.contains("a=ice-ufrag:seen") && text.contains("a=ice-pwd:***"));
        assert!(text.contains("AES_CM_128_HMAC_SHA1_80 inline:***") && text.contains("a=sendrecv"));
    }

    #[test]
    fn what_people_write_to_each_other_is_not_seen() {
        let text = readable("MESSAGE sip:a SIP/2.0\r\nSubject: x\r\n\r\npri\r\n\r\nvate");
        assert!(text.ends_with("Subject: x\n\n    ***"), "{text}");
        let text = readable("MESSAGE sip:a SIP/2.0\r\n\r\n\r\nprivate");
        assert!(text.ends_with("\n\n    ***"), "{text}");
    }

    #[test]
    fn a_peer_forges_no_line_and_no_escape_sequence() {
        let text =
            readable("OPTIONS sip:a SIP/2.0\r\n2026-01-01 INFO forged\r\nX: \u{1b}[2J\u{7}\r\n\r\nforged");
        assert!(
            text.lines()
                .all(|line| line.is_empty() || line.starts_with("    ")),
            "{text}"
        );
        assert!(!text.contains('\u{1b}') && !text.contains('\u{7}'));
    }
}
