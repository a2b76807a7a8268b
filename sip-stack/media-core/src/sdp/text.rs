//! The text of a description of ours. The library's writer goes through a formatter for each character of each field, which is
//! more than all else that a description costs.

use sdp_types::{Attribute, Connection, Media, Session};

/// Usual size of a description for a phone; for a browser there is more.
const USUAL: usize = 768;

/// A description, but for its version, which stands between the two parts (RFC 8866 §5.2).
pub(super) struct Text {
    pub(super) before: String,
    pub(super) after: String,
}

impl Text {
    /// Lines that [`write`](super::write) makes: no others are written.
    pub(super) fn of(session: &Session) -> Text {
        let origin = &session.origin;
        let mut before = String::with_capacity(40);
        let username = origin.username.as_deref().filter(|name| !name.is_empty());
        fields(
            &mut before,
            "v=0\r\no=",
            &[username.unwrap_or("-"), " ", &origin.sess_id, " "],
        );
        let mut after = String::with_capacity(USUAL);
        let out = &mut after;
        let (nettype, addrtype) = (origin.nettype.as_str(), origin.addrtype.as_str());
        fields(out, " ", &[nettype, " ", addrtype, " ", &origin.unicast_address]);
        fields(out, "\r\ns=", &[&session.session_name]);
        out.push_str("\r\n");
        session.connection.iter().for_each(|one| connection(out, one));
        for time in &session.times {
            let (start, stop) = (time.start_time.to_string(), time.stop_time.to_string());
            fields(out, "t=", &[&start, " ", &stop]);
            out.push_str("\r\n");
        }
        session.attributes.iter().for_each(|one| attribute(out, one));
        session.medias.iter().for_each(|one| media(out, one));
        Text { before, after }
    }

    /// The whole of it.
    pub(super) fn with_version(&self, version: u64) -> String {
        [&self.before, version.to_string().as_str(), &self.after].concat()
    }
}

fn media(out: &mut String, media: &Media) {
    let port = media.port.to_string();
    fields(
        out,
        "m=",
        &[&media.media, " ", &port, " ", &media.proto, " ", &media.fmt],
    );
    out.push_str("\r\n");
    media.connections.iter().for_each(|one| connection(out, one));
    media.attributes.iter().for_each(|one| attribute(out, one));
}

fn connection(out: &mut String, connection: &Connection) {
    let (nettype, addrtype) = (connection.nettype.as_str(), connection.addrtype.as_str());
    fields(
        out,
        "c=",
        &[nettype, " ", addrtype, " ", &connection.connection_address],
    );
    out.push_str("\r\n");
}

fn attribute(out: &mut String, attribute: &Attribute) {
    match &attribute.value {
        Some(value) => fields(out, "a=", &[&attribute.attribute, ":", value]),
        None => fields(out, "a=", &[&attribute.attribute]),
    }
    out.push_str("\r\n");
}

/// Writes the beginning of a line and its fields. What would end the line is left out of a field (RFC 8866 §5).
fn fields(out: &mut String, begin: &str, fields: &[&str]) {
    out.push_str(begin);
    for field in fields {
        if field.bytes().any(|byte| matches!(byte, b'\0' | b'\r' | b'\n')) {
            out.extend(field.chars().filter(|c| !matches!(c, '\0' | '\r' | '\n')));
        } else {
            out.push_str(field);
        }
    }
}

#[cfg(test)]
mod tests {
    use sdp_types::{Origin, Time};
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    #[test]
    fn the_text_is_that_of_the_library() {
        let mut session = Session::new(Origin::with_ip_addr(7, 0, Ipv6Addr::LOCALHOST), "-");
        session.times.push(Time::new(0, 0));
        session.connection = Some(Connection::from_ip_addr(Ipv4Addr::LOCALHOST));
        session.attributes.push(Attribute::new("ice-lite"));
        for (port, name) in [(9, "audio"), (0, "video\r\na=evil:1")] {
            session.medias.push(Media {
                media: name.to_owned(),
                port,
                num_ports: None,
                proto: "RTP/AVP".to_owned(),
                fmt: "0 101".to_owned(),
                media_title: None,
                connections: vec![Connection::from_ip_addr(Ipv6Addr::LOCALHOST)],
                bandwidths: Vec::new(),
                key: None,
                attributes: vec![
                    Attribute::with_value("rtpmap", "0 PCMU/8000"),
                    Attribute::with_value("mid", "a\nb\0"),
                    Attribute::new("sendrecv"),
                ],
            });
        }
        session.origin.sess_version = 41;
        let mut written = Vec::new();
        session.write(&mut written).unwrap();
        let text = Text::of(&session).with_version(41);
        assert_eq!(text, String::from_utf8(written).unwrap());
    }
}
