//! The document of the package `message-summary` (RFC 3842 §5.2): whether messages wait in a mailbox, and how many.

use std::fmt::Write as _;

/// Lines of a document that are read.
const MAX_LINES: usize = 64;

/// Kinds of messages (RFC 3458), as documents name them.
const CLASSES: [&str; 6] = [
    "Voice-Message",
    "Fax-Message",
    "Pager-Message",
    "Multimedia-Message",
    "Text-Message",
    "None",
];

/// Messages in a mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Summary {
    /// True if there are new ones.
    waiting: bool,
    /// Of each kind that the mailbox names.
    counts: Vec<Count>,
}

/// Messages of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Count {
    class: &'static str,
    all: Numbers,
    urgent: Option<Numbers>,
}

/// New messages, and those that were heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Numbers {
    new: u32,
    old: u32,
}

/// Writes a document as it is read; `None` for text that is none.
#[must_use]
pub fn rewrite_summary(text: &str) -> Option<String> {
    Summary::read(text).map(|summary| summary.document("sip:user@host"))
}

impl Summary {
    /// Reads a document. Headers of single messages, which may follow it, are left out: they are nobody's business but the mailbox's.
    pub(super) fn read(text: &str) -> Option<Summary> {
        let mut lines = text.lines().take(MAX_LINES).map(field);
        let waiting = match lines.next()?? {
            (name, value) if name.eq_ignore_ascii_case("Messages-Waiting") => match value {
                value if value.eq_ignore_ascii_case("yes") => true,
                value if value.eq_ignore_ascii_case("no") => false,
                _ => return None,
            },
            _ => return None,
        };
        let mut counts: Vec<Count> = Vec::new();
        // An empty line ends it.
        for (name, value) in lines.map_while(|line| line) {
            let Some(class) = CLASSES.into_iter().find(|class| class.eq_ignore_ascii_case(name)) else {
                continue;
            };
            if !counts.iter().any(|count| count.class == class) {
                counts.push(Count::read(class, value)?);
            }
        }
        Some(Summary { waiting, counts })
    }

    /// A document about the mailbox of `account`.
    pub(super) fn document(&self, account: &str) -> String {
        let waiting = if self.waiting { "yes" } else { "no" };
        let mut out = format!("Messages-Waiting: {waiting}\r\nMessage-Account: {account}\r\n");
        for count in &self.counts {
            let _ = write!(out, "{}: {}/{}", count.class, count.all.new, count.all.old);
            if let Some(urgent) = count.urgent {
                let _ = write!(out, " ({}/{})", urgent.new, urgent.old);
            }
            out.push_str("\r\n");
        }
        out
    }
}

impl Count {
    /// Reads `2/8` or `2/8 (0/2)`.
    fn read(class: &'static str, text: &str) -> Option<Count> {
        let (all, urgent) = match text.split_once('(') {
            Some((all, urgent)) => (all, Some(urgent.trim_end().strip_suffix(')')?)),
            None => (text, None),
        };
        Some(Count {
            class,
            all: Numbers::read(all)?,
            urgent: match urgent {
                Some(urgent) => Some(Numbers::read(urgent)?),
                None => None,
            },
        })
    }
}

impl Numbers {
    fn read(text: &str) -> Option<Numbers> {
        let (new, old) = text.split_once('/')?;
        let number = |text: &str| text.trim().parse().ok();
        Some(Numbers {
            new: number(new)?,
            old: number(old)?,
        })
    }
}

/// Name and value of a line; `None` for one that has none.
fn field(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    Some((name.trim(), value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written_for_the_user() {
        let text = "Messages-Waiting: yes\r\nMessage-Account: sip:alice@vmail.example.com\r\nVoice-Message: 2/8 (0/2)\r\n\
                    fax-message:1/0\r\nX-Other: 3\r\nVoice-Message: 9/9\r\n\r\nTo: <alice@example.com>\r\nText-Message: 7/7\r\n";
        let summary = Summary::read(text).expect("a document");
        assert_eq!(
            summary.document("sip:1001@192.0.2.1"),
            "Messages-Waiting: yes\r\nMessage-Account: sip:1001@192.0.2.1\r\nVoice-Message: 2/8 (0/2)\r\nFax-Message: 1/0\r\n"
        );
        let none = Summary::read("messages-waiting: No").expect("a document");
        assert_eq!(none, Summary::default());
    }

    #[test]
    fn what_is_no_document() {
        for text in [
            "",
            "Voice-Message: 2/8\r\nMessages-Waiting: yes",
            "Messages-Waiting: maybe",
            "Messages-Waiting yes",
            "Messages-Waiting: yes\r\nVoice-Message: many",
            "Messages-Waiting: yes\r\nVoice-Message: 1/-2",
            "Messages-Waiting: yes\r\nVoice-Message: 1/2 (1/2",
            "Messages-Waiting: yes\r\nVoice-Message: 4294967296/0",
        ] {
            assert_eq!(Summary::read(text), None, "{text}");
        }
    }
}
