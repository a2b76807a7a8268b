//! Parsing of URIs, which finds the places of their parts.

use super::host::parse_port;
use super::{Host, Parts, Scheme, UriError};
use crate::message::params::{class, find_octet};

/// Places of the parts of a URI.
pub(super) fn parse(text: &str) -> Result<Parts, UriError> {
    if text.len() > crate::message::limits::LINE {
        return Err(UriError::Length);
    }
    let colon = find_octet(text, b':').ok_or(UriError::Scheme)?;
    let name = &text[..colon];
    let scheme_char = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    if !name.as_bytes().first().is_some_and(u8::is_ascii_alphabetic) || !name.bytes().all(scheme_char) {
        return Err(UriError::Scheme);
    }
    if !class::all(text, class::URI) {
        return Err(UriError::Text);
    }
    let scheme = match name.len() {
        3 if name.eq_ignore_ascii_case("sip") => Scheme::Sip,
        3 if name.eq_ignore_ascii_case("tel") => Scheme::Tel,
        4 if name.eq_ignore_ascii_case("sips") => Scheme::Sips,
        _ => Scheme::Other,
    };
    let end = text.len();
    // fits: the length was checked
    let at = |from: usize, to: usize| (from as u16, to as u16);
    let mut parts = Parts {
        scheme,
        opaque: (colon + 1) as u16,
        user: (0, 0),
        host: (0, 0),
        port: None,
        params: (0, 0),
        headers: (0, 0),
    };
    let rest = &text[colon + 1..];
    if rest.is_empty() {
        return Err(UriError::Text);
    }
    match scheme {
        Scheme::Other => return Ok(parts),
        Scheme::Tel => {
            let number_end = find_octet(rest, b';').map_or(end, |semi| colon + 1 + semi);
            let number = &text[colon + 1..number_end];
            let digit =
                |b: u8| b.is_ascii_hexdigit() || matches!(b, b'+' | b'*' | b'#' | b'-' | b'.' | b'(' | b')');
            if number.is_empty() || !number.bytes().all(digit) {
                return Err(UriError::User);
            }
            parts.user = at(colon + 1, number_end);
            parts.params = at(number_end, end);
            return Ok(parts);
        }
        Scheme::Sip | Scheme::Sips => {}
    }
    // the first `@` ends the user part, which may itself hold `;`, `?` and `:`
    let host_start = match find_octet(rest, b'@') {
        Some(0) => return Err(UriError::User),
        Some(sign) => {
            check_user(&rest[..sign])?;
            parts.user = at(colon + 1, colon + 1 + sign);
            colon + 1 + sign + 1
        }
        None => colon + 1,
    };
    let rest = &text[host_start..];
    let host_end = rest.bytes().position(|byte| matches!(byte, b';' | b'?'));
    let host_end = host_start + host_end.unwrap_or(rest.len());
    let host_port = &text[host_start..host_end];
    let host_len = match find_octet(host_port, b']') {
        Some(bracket) => bracket + 1,
        None => find_octet(host_port, b':').unwrap_or(host_port.len()),
    };
    Host::parse(&host_port[..host_len]).ok_or(UriError::Host)?;
    parts.host = at(host_start, host_start + host_len);
    parts.port = match host_port[host_len..].strip_prefix(':') {
        Some(port) => Some(parse_port(port).ok_or(UriError::Port)?),
        None if host_len < host_port.len() => return Err(UriError::Host),
        None => None,
    };
    let question = find_octet(&text[host_end..], b'?').map(|q| host_end + q);
    parts.params = at(host_end, question.unwrap_or(end));
    if let Some(question) = question {
        parts.headers = at(question + 1, end);
    }
    if find_octet(&text[host_end..question.unwrap_or(end)], b'@').is_some() {
        return Err(UriError::Host);
    }
    Ok(parts)
}

/// Octets of a user part alone; a `%` must be an escape.
fn check_user(userinfo: &str) -> Result<(), UriError> {
    let bytes = userinfo.as_bytes();
    if bytes[0] == b':' {
        return Err(UriError::User);
    }
    for (i, &byte) in bytes.iter().enumerate() {
        let hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
        let ok = class::is(byte, class::USER) || (byte == b'%' && hex(i + 1) && hex(i + 2));
        if !ok {
            return Err(UriError::User);
        }
    }
    Ok(())
}
