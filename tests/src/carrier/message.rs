//! A message of the gateway, as lines.

use sip_core::message::Message;

/// A message as its reader sees it: a start line, header fields in their order, and the lines of its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    start: String,
    fields: Vec<(String, String)>,
    body: Vec<String>,
}

impl Seen {
    /// The lines of a message.
    #[must_use]
    pub fn of(message: &Message) -> Seen {
        let text = String::from_utf8_lossy(&message.to_bytes()).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let mut lines = head.split("\r\n");
        let start = lines.next().unwrap_or_default().to_owned();
        let field = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.trim().to_owned(), value.trim().to_owned()))
        };
        Seen {
            start,
            fields: lines.filter_map(field).collect(),
            body: body
                .split("\r\n")
                .filter(|line| !line.is_empty())
                .map(str::to_owned)
                .collect(),
        }
    }

    /// Text of a place: `start-line`, the name of a header field (the first one), `sdp:PREFIX` (the first line of the body that begins
    /// so), or `sdp` (the whole body).
    #[must_use]
    pub fn text(&self, place: &str) -> Option<String> {
        match place {
            "start-line" => Some(self.start.clone()),
            "sdp" => (!self.body.is_empty()).then(|| self.body.join("\r\n")),
            _ => match place.strip_prefix("sdp:") {
                Some(prefix) => self.body.iter().find(|line| line.starts_with(prefix)).cloned(),
                None => self
                    .fields
                    .iter()
                    .find(|(name, _)| is(name, place))
                    .map(|(_, value)| value.clone()),
            },
        }
    }

    /// The message with something else at that place: `None` takes it away, lines of a body where `is_line` says so.
    #[must_use]
    pub fn with(&self, place: &str, text: Option<&str>, is_line: impl Fn(&str) -> bool) -> Seen {
        let mut changed = self.clone();
        match place {
            "start-line" => changed.start = text.unwrap_or_default().to_owned(),
            "sdp" => {
                changed.body.retain(|line| !is_line(line));
                changed.body.extend(text.map(str::to_owned));
            }
            _ => match place.strip_prefix("sdp:") {
                Some(prefix) => {
                    if let Some(first) = changed.body.iter().position(|line| line.starts_with(prefix)) {
                        changed.body.remove(first);
                    }
                    changed.body.extend(text.map(|text| format!("{prefix}{text}")));
                }
                None => {
                    changed.fields.retain(|(name, _)| !is(name, place));
                    changed
                        .fields
                        .extend(text.map(|text| (place.to_owned(), text.to_owned())));
                }
            },
        }
        changed
    }
}

fn is(name: &str, other: &str) -> bool {
    name.eq_ignore_ascii_case(other)
}
