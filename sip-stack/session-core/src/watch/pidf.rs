//! Presence that a user's phone publishes: PIDF (RFC 3863) with activities of RPID (RFC 4480).

use super::xml_read::{Malformed, Piece, read};

/// Characters of a note that are kept.
const MAX_NOTE: usize = 256;

/// Activities that RPID knows (RFC 4480 §3.2); any other is ignored.
const ACTIVITIES: [&str; 27] = [
    "appointment",
    "away",
    "breakfast",
    "busy",
    "dinner",
    "holiday",
    "in-transit",
    "looking-for-work",
    "lunch",
    "meal",
    "meeting",
    "on-the-phone",
    "performance",
    "permanent-absence",
    "playing",
    "presentation",
    "shopping",
    "sleeping",
    "spectator",
    "steering",
    "travel",
    "tv",
    "unknown",
    "vacation",
    "working",
    "worship",
    "other",
];

/// Presence of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Presence {
    pub(crate) basic: Basic,
    /// Names of RPID, each once.
    pub(crate) activities: Vec<&'static str>,
    /// Words of the user for others; may be empty.
    pub(crate) note: String,
}

/// Whether a user can be reached (RFC 3863 §4.1.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Basic {
    Open,
    #[default]
    Closed,
}

impl Presence {
    /// Reads a document. A user with several tuples is open if one of them is.
    pub(crate) fn read(text: &str) -> Result<Presence, Malformed> {
        let mut presence = Presence::default();
        let mut path: Vec<&str> = Vec::new();
        for piece in read(text)? {
            match piece {
                Piece::Start(name) => {
                    if path.is_empty() && name != "presence" {
                        return Err(Malformed);
                    }
                    let known = ACTIVITIES.into_iter().find(|known| *known == name);
                    if let (Some(&"activities"), Some(activity)) = (path.last(), known) {
                        presence.add(activity);
                    }
                    path.push(name);
                }
                Piece::End(_) => {
                    path.pop();
                }
                Piece::Text(text) => match path.last() {
                    Some(&"basic") if text.trim() == "open" => presence.basic = Basic::Open,
                    Some(&"note") if presence.note.is_empty() => {
                        let note: String = text.trim().chars().take(MAX_NOTE).collect();
                        presence.note = note.trim_end().to_owned();
                    }
                    _ => {}
                },
            }
        }
        Ok(presence)
    }

    /// Adds an activity, once.
    pub(crate) fn add(&mut self, activity: &'static str) {
        if !self.activities.contains(&activity) {
            self.activities.push(activity);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_of_phones() {
        let text = "<?xml version=\"1.0\"?><presence xmlns=\"urn:ietf:params:xml:ns:pidf\" \
                    xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\" xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\" \
                    entity=\"sip:a@b\"><tuple id=\"t\"><status><basic> open </basic></status><note>Back &amp; forth</note></tuple>\
                    <tuple id=\"u\"><status><basic>closed</basic></status></tuple><dm:person id=\"p\"><rpid:activities>\
                    <rpid:away/><rpid:away/><rpid:juggling/></rpid:activities><dm:note>other</dm:note></dm:person></presence>";
        assert_eq!(
            Presence::read(text),
            Ok(Presence {
                basic: Basic::Open,
                activities: vec!["away"],
                note: "Back & forth".into()
            })
        );
        assert_eq!(Presence::read("<presence/>"), Ok(Presence::default()));
        assert_eq!(Presence::read("<dialog-info/>"), Err(Malformed));
    }
}
