//! The package `dialog` (RFC 4235): the calls of a user, one dialog for each leg.

use media_core::control::LegId;
use sip_core::uri::Uri;

use super::xml::Xml;
use crate::dial::Caller;

/// A dialog of a user, as its watchers see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dialog {
    pub(super) leg: LegId,
    pub(super) direction: Direction,
    pub(super) state: State,
    /// True while either side holds the other.
    pub(super) held: bool,
    /// The other party.
    pub(super) remote: Caller,
    /// Its names for whoever picks it up; a dialog that nobody may pick up has none.
    pub(super) names: Option<Names>,
}

/// Side of the user in a dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// The user calls.
    Initiator,
    /// The user is called.
    Recipient,
}

/// State of a dialog (RFC 4235 §3.7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The INVITE has no response yet.
    Trying,
    /// It rings.
    Early,
    /// It was answered.
    Confirmed,
}

/// Names of a dialog, from the side of the user (RFC 4235 §4.1.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) call_id: String,
    pub(super) local_tag: String,
    pub(super) remote_tag: String,
}

/// The user who is watched.
#[derive(Clone, Debug)]
pub(super) struct Entity<'a> {
    /// URI that was subscribed to.
    pub(super) uri: &'a str,
    pub(super) display: &'a str,
    /// Host of the identities of others.
    pub(super) host: &'a str,
}

/// State that a watcher was notified of last.
#[derive(Clone, Debug, Default)]
pub(super) struct Notified {
    version: u32,
    dialogs: Vec<Dialog>,
}

impl Notified {
    /// True if these dialogs are others than those that the watcher knows.
    pub(super) fn is_old(&self, dialogs: &[Dialog]) -> bool {
        self.dialogs != dialogs
    }

    /// A document with all dialogs (RFC 4235 §3.9).
    pub(super) fn full(&mut self, entity: &Entity<'_>, dialogs: Vec<Dialog>) -> String {
        let text = document(entity, self.version, "full", &dialogs, &[]);
        self.version += 1;
        self.dialogs = dialogs;
        text
    }

    /// A document with the dialogs that changed since the last one, those that are over among them.
    pub(super) fn partial(&mut self, entity: &Entity<'_>, dialogs: Vec<Dialog>) -> String {
        let changed: Vec<Dialog> = dialogs
            .iter()
            .filter(|dialog| !self.dialogs.contains(dialog))
            .cloned()
            .collect();
        let is_over = |old: &&Dialog| !dialogs.iter().any(|dialog| dialog.leg == old.leg);
        let over: Vec<Dialog> = self.dialogs.iter().filter(is_over).cloned().collect();
        let text = document(entity, self.version, "partial", &changed, &over);
        self.version += 1;
        self.dialogs = dialogs;
        text
    }
}

fn document(entity: &Entity<'_>, version: u32, state: &str, dialogs: &[Dialog], over: &[Dialog]) -> String {
    let mut xml = Xml::new();
    xml.open(
        "dialog-info",
        &[
            ("xmlns", "urn:ietf:params:xml:ns:dialog-info"),
            ("version", &version.to_string()),
            ("state", state),
            ("entity", entity.uri),
        ],
    );
    for dialog in dialogs {
        dialog.write(&mut xml, entity);
    }
    for dialog in over {
        let id = dialog.leg.0.to_string();
        xml.open("dialog", &[("id", &id), ("direction", dialog.direction.name())]);
        xml.text("state", &[], "terminated");
        xml.close("dialog");
    }
    xml.close("dialog-info");
    xml.finish()
}

impl Dialog {
    fn write(&self, xml: &mut Xml, entity: &Entity<'_>) {
        let id = self.leg.0.to_string();
        let mut attributes = vec![("id", id.as_str())];
        if let Some(names) = &self.names {
            attributes.push(("call-id", &names.call_id));
            attributes.push(("local-tag", &names.local_tag));
            attributes.push(("remote-tag", &names.remote_tag));
        }
        attributes.push(("direction", self.direction.name()));
        xml.open("dialog", &attributes);
        xml.text("state", &[], self.state.name());
        xml.open("local", &[]);
        identity(xml, entity.display, entity.uri);
        xml.open("target", &[("uri", entity.uri)]);
        // RFC 4235 §4.1.6: whether the user's phone gives sound out.
        let rendering = if self.held { "no" } else { "yes" };
        xml.empty("param", &[("pname", "+sip.rendering"), ("pvalue", rendering)]);
        xml.close("target");
        xml.close("local");
        xml.open("remote", &[]);
        let uri = address(&self.remote.user, entity.host);
        identity(xml, &self.remote.display, &uri);
        xml.empty("target", &[("uri", &uri)]);
        xml.close("remote");
        xml.close("dialog");
    }
}

fn identity(xml: &mut Xml, display: &str, uri: &str) {
    match display {
        "" => xml.text("identity", &[], uri),
        display => xml.text("identity", &[("display", display)], uri),
    }
}

/// Address of a party. One that wants to be known to nobody has that of RFC 3323 §4.1.1.3.
fn address(user: &str, host: &str) -> String {
    const NOBODY: &str = "sip:anonymous@anonymous.invalid";
    if user.is_empty() || user.eq_ignore_ascii_case("anonymous") {
        return NOBODY.to_owned();
    }
    Uri::sip(Some(user), host, None).map_or_else(|_| NOBODY.to_owned(), |uri| uri.as_str().to_owned())
}

impl Direction {
    const fn name(self) -> &'static str {
        match self {
            Direction::Initiator => "initiator",
            Direction::Recipient => "recipient",
        }
    }
}

impl State {
    const fn name(self) -> &'static str {
        match self {
            State::Trying => "trying",
            State::Early => "early",
            State::Confirmed => "confirmed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialog(leg: u64, state: State) -> Dialog {
        Dialog {
            leg: LegId(leg),
            direction: Direction::Recipient,
            state,
            held: false,
            remote: Caller {
                user: "+49 40".into(),
                display: "\"<Ü>\"".into(),
            },
            names: None,
        }
    }

    const ENTITY: Entity<'static> = Entity {
        uri: "sip:1001@192.0.2.1",
        display: "",
        host: "192.0.2.1",
    };

    #[test]
    fn a_partial_document_has_what_changed_and_what_is_over() {
        let mut notified = Notified::default();
        let before = vec![dialog(1, State::Confirmed), dialog(2, State::Early)];
        let first = notified.full(&ENTITY, before.clone());
        assert!(first.contains("version=\"0\" state=\"full\""), "{first}");
        assert!(!notified.is_old(&before));
        let after = vec![dialog(1, State::Confirmed), dialog(3, State::Trying)];
        assert!(notified.is_old(&after));
        let second = notified.partial(&ENTITY, after);
        assert!(second.contains("version=\"1\" state=\"partial\""), "{second}");
        assert!(
            second.contains("<dialog id=\"2\" direction=\"recipient\"><state>terminated</state></dialog>"),
            "{second}"
        );
        assert!(
            second.contains("id=\"3\"") && !second.contains("id=\"1\""),
            "{second}"
        );
    }

    #[test]
    fn parties_are_written_so_that_they_read_back() {
        let text = Notified::default().full(&ENTITY, vec![dialog(1, State::Early)]);
        assert!(text.contains("sip:+49%2040@192.0.2.1"), "{text}");
        assert!(text.contains("display=\"&quot;&lt;Ü&gt;&quot;\""), "{text}");
        assert_eq!(address("Anonymous", "h"), "sip:anonymous@anonymous.invalid");
        assert_eq!(address("", "h"), "sip:anonymous@anonymous.invalid");
    }
}
