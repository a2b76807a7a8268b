//! A caller and a phone of very few words: as much SIP (RFC 3261) as setting up and ending a call takes on loopback,
//! where nothing is lost and nothing needs to be sent twice.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};

use md5::{Digest, Md5};

use super::Outcome;
use super::websocket::WebSocket;

/// A received message.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// The first line.
    pub(crate) start: String,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Message {
    pub(crate) fn parse(text: &str) -> Option<Message> {
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let start = lines.next()?.to_string();
        let headers = lines
            .filter_map(|line| {
                let (name, value) = line.split_once(':')?;
                Some((long_name(name.trim()), value.trim().to_string()))
            })
            .collect();
        Some(Message {
            start,
            headers,
            body: body.to_string(),
        })
    }

    /// The status of a response.
    pub(crate) fn status(&self) -> Option<u16> {
        self.start.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
    }

    /// The first header of that name, `""` if there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers
            .iter()
            .filter(move |(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The sequence number of CSeq.
    pub(crate) fn sequence(&self) -> u32 {
        self.header("CSeq")
            .split(' ')
            .next()
            .and_then(|number| number.parse().ok())
            .unwrap_or(0)
    }

    /// The URI of Contact.
    pub(crate) fn contact(&self) -> &str {
        let value = self.header("Contact");
        value
            .split_once('<')
            .and_then(|(_, rest)| rest.split_once('>'))
            .map_or(value, |(uri, _)| uri)
    }

    /// `Route` lines for requests in the dialog that this response to our INVITE makes.
    pub(crate) fn routes(&self) -> String {
        let routes: Vec<&str> = self.all("Record-Route").collect();
        routes
            .iter()
            .rev()
            .map(|route| format!("Route: {route}\r\n"))
            .collect()
    }

    /// A response to this request. `headers` are whole lines.
    pub(crate) fn respond(&self, line: &str, tag: &str, headers: &str, body: &str) -> String {
        let copy = |name: &str| {
            self.all(name)
                .map(|value| format!("{name}: {value}\r\n"))
                .collect::<String>()
        };
        let to = self.header("To");
        let tag = if to.contains(";tag=") {
            String::new()
        } else {
            format!(";tag={tag}")
        };
        format!(
            "SIP/2.0 {line}\r\n{}{}{}To: {to}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            copy("Via"),
            copy("Record-Route"),
            copy("From"),
            self.header("Call-ID"),
            self.header("CSeq"),
            body.len()
        )
    }
}

fn long_name(name: &str) -> String {
    match name {
        "v" => "Via",
        "f" => "From",
        "t" => "To",
        "i" => "Call-ID",
        "m" => "Contact",
        "l" => "Content-Length",
        "c" => "Content-Type",
        other => other,
    }
    .to_string()
}

/// The answer to a digest challenge (RFC 7616, MD5), as a whole header line.
pub(crate) fn authorization(
    challenge: &Message,
    method: &str,
    uri: &str,
    user: &str,
    password: &str,
) -> Outcome<String> {
    let (asked, header) = match challenge.status() {
        Some(401) => ("WWW-Authenticate", "Authorization"),
        _ => ("Proxy-Authenticate", "Proxy-Authorization"),
    };
    let is_md5 =
        |value: &&str| parameter(value, "algorithm").is_none_or(|name| name.eq_ignore_ascii_case("MD5"));
    let challenge = challenge
        .all(asked)
        .find(is_md5)
        .ok_or("no challenge that we can answer")?;
    let realm = parameter(challenge, "realm").ok_or("a challenge without a realm")?;
    let nonce = parameter(challenge, "nonce").ok_or("a challenge without a nonce")?;
    let secret = md5(&format!("{user}:{realm}:{password}"));
    let request = md5(&format!("{method}:{uri}"));
    let opaque = parameter(challenge, "opaque")
        .map(|value| format!(",opaque=\"{value}\""))
        .unwrap_or_default();
    let (response, quality) = match parameter(challenge, "qop") {
        None => (md5(&format!("{secret}:{nonce}:{request}")), ""),
        Some(_) => (
            md5(&format!("{secret}:{nonce}:00000001:c0ffee:auth:{request}")),
            ",qop=auth,nc=00000001,cnonce=\"c0ffee\"",
        ),
    };
    Ok(format!(
        "{header}: Digest username=\"{user}\",realm=\"{realm}\",nonce=\"{nonce}\",uri=\"{uri}\",\
         response=\"{response}\",algorithm=MD5{quality}{opaque}\r\n"
    ))
}

fn parameter<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    let header = header.strip_prefix("Digest ")?;
    let mut rest = header;
    while let Some((found, after)) = rest.split_once('=') {
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => {
                let (value, next) = quoted.split_once('"')?;
                (
                    value,
                    next.trim_start_matches(|c: char| c == ',' || c.is_whitespace()),
                )
            }
            None => {
                let (value, next) = after.split_once(',').unwrap_or((after, ""));
                (value.trim(), next.trim_start())
            }
        };
        if found.trim().eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = next;
    }
    None
}

fn md5(text: &str) -> String {
    Md5::digest(text)
        .iter()
        .map(|octet| format!("{octet:02x}"))
        .collect()
}

/// Connection of a caller to the system under test.
pub(crate) enum Link {
    Udp(UdpSocket),
    WebSocket(WebSocket),
}

impl Link {
    /// A UDP socket towards one address.
    pub(crate) fn udp(remote: SocketAddr) -> Outcome<Link> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(remote)?;
        socket.set_nonblocking(true)?;
        Ok(Link::Udp(socket))
    }

    pub(crate) fn send(&mut self, text: &str) -> Outcome<()> {
        match self {
            Link::Udp(socket) => socket.send(text.as_bytes()).map(|_| ()).map_err(Into::into),
            Link::WebSocket(socket) => socket.send(text),
        }
    }

    /// The next message, if one has come.
    pub(crate) fn receive(&mut self) -> Outcome<Option<Message>> {
        match self {
            Link::Udp(socket) => {
                let mut buffer = [0; 65_535];
                match socket.recv(&mut buffer) {
                    Ok(length) => Ok(Message::parse(std::str::from_utf8(&buffer[..length])?)),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
                    Err(error) => Err(error.into()),
                }
            }
            Link::WebSocket(socket) => Ok(socket.receive()?.and_then(|text| Message::parse(&text))),
        }
    }

    /// Transport of Via, and the host and parameters of Contact.
    pub(crate) fn names(&self) -> Outcome<(&'static str, String)> {
        Ok(match self {
            Link::Udp(socket) => ("UDP", socket.local_addr()?.to_string()),
            Link::WebSocket(_) => ("WS", "load.invalid;transport=ws".to_string()),
        })
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Link::Udp(socket) => socket.as_fd(),
            Link::WebSocket(socket) => socket.as_fd(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 2617 3.5.
    #[test]
    fn answers_the_challenge_of_the_rfc() {
        let challenge = "SIP/2.0 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"testrealm@host.com\", \
                         qop=\"auth,auth-int\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", opaque=\"5ccc069c\"\r\n\r\n";
        let challenge = Message::parse(challenge).unwrap();
        let line = authorization(&challenge, "GET", "/dir/index.html", "Mufasa", "Circle Of Life").unwrap();
        let secret = md5("Mufasa:testrealm@host.com:Circle Of Life");
        assert_eq!(secret, "939e7578ed9e3c518a452acee763bce9");
        assert!(line.contains("opaque=\"5ccc069c\"") && line.contains("realm=\"testrealm@host.com\""));
        assert!(line.starts_with("Authorization: Digest ") && line.contains("qop=auth"));
    }

    #[test]
    fn reads_a_response_and_answers_a_request() {
        let text = "SIP/2.0 200 OK\r\nv: SIP/2.0/UDP h\r\nRecord-Route: <sip:a>\r\nRecord-Route: <sip:b>\r\n\
                    Contact: <sip:x@h:1>;q=1\r\nCSeq: 7 INVITE\r\n\r\nbody";
        let message = Message::parse(text).unwrap();
        assert_eq!(
            (message.status(), message.sequence(), message.contact()),
            (Some(200), 7, "sip:x@h:1")
        );
        assert_eq!(message.routes(), "Route: <sip:b>\r\nRoute: <sip:a>\r\n");
        let request =
            Message::parse("BYE sip:x SIP/2.0\r\nVia: 1\r\nVia: 2\r\nTo: <sip:x>;tag=1\r\n\r\n").unwrap();
        let reply = request.respond("200 OK", "t", "", "");
        assert!(reply.starts_with("SIP/2.0 200 OK\r\nVia: 1\r\nVia: 2\r\nTo: <sip:x>;tag=1\r\n"));
    }
}
