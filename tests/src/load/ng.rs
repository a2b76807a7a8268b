//! rtpengine's ng protocol: bencoded dictionaries over UDP, each with a cookie that its answer repeats.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use super::Outcome;

/// A bencoded value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Text(String),
    List(Vec<Value>),
    Dictionary(BTreeMap<String, Value>),
}

impl Value {
    pub(crate) fn text(text: &str) -> Value {
        Value::Text(text.into())
    }

    pub(crate) fn list(items: &[&str]) -> Value {
        Value::List(items.iter().map(|item| Value::text(item)).collect())
    }

    pub(crate) fn dictionary<const N: usize>(entries: [(&str, Value); N]) -> Value {
        Value::Dictionary(
            entries
                .into_iter()
                .map(|(key, value)| (key.to_string(), value))
                .collect(),
        )
    }

    fn write(&self, out: &mut String) {
        match self {
            Value::Text(text) => *out += &format!("{}:{text}", text.len()),
            Value::List(items) => {
                out.push('l');
                items.iter().for_each(|item| item.write(out));
                out.push('e');
            }
            Value::Dictionary(entries) => {
                out.push('d');
                for (key, value) in entries {
                    *out += &format!("{}:{key}", key.len());
                    value.write(out);
                }
                out.push('e');
            }
        }
    }

    /// The value at the beginning of `text`, and the rest. Integers become their text.
    fn read(text: &str) -> Option<(Value, &str)> {
        match text.as_bytes().first()? {
            b'i' => text[1..]
                .split_once('e')
                .map(|(number, rest)| (Value::text(number), rest)),
            kind @ (b'l' | b'd') => {
                let (mut items, mut rest) = (Vec::new(), &text[1..]);
                while !rest.starts_with('e') {
                    let (item, after) = Value::read(rest)?;
                    items.push(item);
                    rest = after;
                }
                let value = if *kind == b'l' {
                    Value::List(items)
                } else {
                    Value::pairs(items)?
                };
                Some((value, &rest[1..]))
            }
            _ => {
                let (length, rest) = text.split_once(':')?;
                let length = length.parse().ok()?;
                Some((Value::text(rest.get(..length)?), &rest[length..]))
            }
        }
    }

    fn pairs(items: Vec<Value>) -> Option<Value> {
        let mut entries = BTreeMap::new();
        let mut items = items.into_iter();
        while let Some(key) = items.next() {
            let Value::Text(key) = key else { return None };
            entries.insert(key, items.next()?);
        }
        Some(Value::Dictionary(entries))
    }
}

/// Speaks to one rtpengine.
pub(crate) struct Client {
    socket: UdpSocket,
    cookie: u64,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Outcome<Client> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(address)?;
        socket.set_read_timeout(Some(Duration::from_secs(5)))?;
        Ok(Client { socket, cookie: 0 })
    }

    /// Sends a command and awaits its answer: the SDP in it, if there is one.
    pub(crate) fn command(&mut self, command: &Value) -> Outcome<Option<String>> {
        self.cookie += 1;
        let cookie = format!("{}_{} ", std::process::id(), self.cookie);
        let mut request = cookie.clone();
        command.write(&mut request);
        self.socket.send(request.as_bytes())?;
        let mut buffer = vec![0; 65_536];
        loop {
            let length = self.socket.recv(&mut buffer)?;
            let Some(answer) = std::str::from_utf8(&buffer[..length])?.strip_prefix(&cookie) else {
                continue;
            };
            let Some((Value::Dictionary(mut entries), _)) = Value::read(answer) else {
                return Err(format!("unreadable answer {answer:?}").into());
            };
            let done = ["ok", "pong"].map(Value::text);
            if !entries.get("result").is_some_and(|result| done.contains(result)) {
                return Err(format!("rtpengine refused: {entries:?}").into());
            }
            return Ok(match entries.remove("sdp") {
                Some(Value::Text(sdp)) => Some(sdp),
                _ => None,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_it_reads() {
        let value = Value::dictionary([
            (
                "codec",
                Value::dictionary([("transcode", Value::list(&["PCMU"]))]),
            ),
            ("command", Value::text("offer")),
        ]);
        let mut text = String::new();
        value.write(&mut text);
        assert_eq!(text, "d5:codecd9:transcodel4:PCMUee7:command5:offere");
        assert_eq!(Value::read(&text), Some((value, "")));
        assert_eq!(Value::read("i42e1:x"), Some((Value::text("42"), "1:x")));
        assert_eq!(Value::read("d3:abc"), None);
    }
}
