//! The package `presence` (RFC 3856): whether a user can be reached, and what the user does, as a PIDF document (RFC 3863).

use super::dialog_info::Entity;
use super::pidf::{Basic, Presence};
use super::xml::Xml;

/// A presence document that a phone publishes, as a watcher would be told it; `None` for one that is refused.
#[must_use]
pub fn rewrite_presence(text: &str) -> Option<String> {
    let entity = Entity {
        uri: "sip:anonymous@anonymous.invalid",
        display: "",
        host: "anonymous.invalid",
    };
    Some(document(&entity, &Presence::read(text).ok()?))
}

/// A document.
pub(super) fn document(entity: &Entity<'_>, presence: &Presence) -> String {
    let mut xml = Xml::new();
    xml.open(
        "presence",
        &[
            ("xmlns", "urn:ietf:params:xml:ns:pidf"),
            ("xmlns:dm", "urn:ietf:params:xml:ns:pidf:data-model"),
            ("xmlns:rpid", "urn:ietf:params:xml:ns:pidf:rpid"),
            ("entity", entity.uri),
        ],
    );
    xml.open("tuple", &[("id", "sip")]);
    xml.open("status", &[]);
    xml.text(
        "basic",
        &[],
        match presence.basic {
            Basic::Open => "open",
            Basic::Closed => "closed",
        },
    );
    xml.close("status");
    xml.text("contact", &[], entity.uri);
    if !presence.note.is_empty() {
        xml.text("note", &[], &presence.note);
    }
    xml.close("tuple");
    if !presence.activities.is_empty() {
        xml.open("dm:person", &[("id", "user")]);
        xml.open("rpid:activities", &[]);
        for activity in &presence.activities {
            xml.empty(&format!("rpid:{activity}"), &[]);
        }
        xml.close("rpid:activities");
        xml.close("dm:person");
    }
    xml.close("presence");
    xml.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let entity = Entity {
            uri: "sip:1001@192.0.2.1",
            display: "",
            host: "192.0.2.1",
        };
        let closed = Presence::default();
        let busy = Presence {
            basic: Basic::Open,
            activities: vec!["busy", "on-the-phone"],
            note: "<in> & \"out\"".into(),
        };
        for presence in [closed, busy] {
            assert_eq!(Presence::read(&document(&entity, &presence)), Ok(presence));
        }
    }
}
