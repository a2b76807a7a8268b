//! The package `reg` (RFC 3680): the registrations of a user.

use std::time::Duration;

use sans_io::Time;
use sip_core::registrar::Binding;

use super::dialog_info::Entity;
use super::xml::Xml;

/// A contact of a user, as watchers see it.
#[derive(Clone, Debug)]
pub(super) struct Contact {
    uri: String,
    expires: Time,
}

impl Contact {
    pub(super) fn of(binding: &Binding) -> Contact {
        Contact {
            uri: binding.uri.as_str().to_owned(),
            expires: binding.expires,
        }
    }
}

/// State that a watcher was notified of last.
#[derive(Clone, Debug, Default)]
pub(super) struct Notified {
    version: u32,
    contacts: Vec<Contact>,
}

impl Notified {
    /// True if these contacts are others than those that the watcher knows. A refresh is no news.
    pub(super) fn is_old(&self, contacts: &[Contact]) -> bool {
        let uris = |contacts: &[Contact]| {
            let mut uris: Vec<String> = contacts.iter().map(|contact| contact.uri.clone()).collect();
            uris.sort_unstable();
            uris
        };
        uris(&self.contacts) != uris(contacts)
    }

    /// A document with all contacts, those that are over since the last one among them.
    pub(super) fn document(&mut self, now: Time, entity: &Entity<'_>, contacts: Vec<Contact>) -> String {
        let mut xml = Xml::new();
        xml.open(
            "reginfo",
            &[
                ("xmlns", "urn:ietf:params:xml:ns:reginfo"),
                ("version", &self.version.to_string()),
                ("state", "full"),
            ],
        );
        let is_there = |uri: &str| contacts.iter().any(|contact| contact.uri == uri);
        let over: Vec<&Contact> = self.contacts.iter().filter(|old| !is_there(&old.uri)).collect();
        let state = match (contacts.is_empty(), over.is_empty()) {
            (false, _) => "active",
            (true, false) => "terminated",
            (true, true) => "init",
        };
        xml.open(
            "registration",
            &[("aor", entity.uri), ("id", "user"), ("state", state)],
        );
        for contact in &contacts {
            let left: Duration = contact.expires.since(now);
            contact.write(&mut xml, ("active", "registered"), Some(left));
        }
        for contact in over {
            contact.write(&mut xml, ("terminated", "unregistered"), None);
        }
        xml.close("registration");
        xml.close("reginfo");
        self.version += 1;
        self.contacts = contacts;
        xml.finish()
    }
}

impl Contact {
    fn write(&self, xml: &mut Xml, (state, event): (&str, &str), left: Option<Duration>) {
        let left = left.map(|left| left.as_secs().to_string());
        // Its URI tells it from all others of this user, and stays the same.
        let mut attributes = vec![("id", self.uri.as_str()), ("state", state), ("event", event)];
        if let Some(left) = &left {
            attributes.push(("expires", left));
        }
        xml.open("contact", &attributes);
        xml.text("uri", &[], &self.uri);
        xml.close("contact");
    }
}
