//! Addresses of requests to a place: who the caller is there, and who is called.

use sip_core::endpoint::Headers;
use sip_core::message::Address;
use sip_core::uri::Uri;

use super::super::Caller;
use super::{Branch, host_text};
use crate::context::Context;
use crate::identity::{Identity, Presentation, anonymous, is_anonymous};

/// Addresses of a request, and what it says beside of its sender.
pub(in crate::dial) struct Addresses {
    pub(in crate::dial) from: Address,
    pub(in crate::dial) to: Address,
    pub(super) contact_user: String,
    pub(in crate::dial) headers: Headers,
}

impl Branch {
    /// Addresses of a request to it, and the headers beside, for this caller.
    pub(in crate::dial) fn presentation(
        &self,
        cx: &Context,
        caller: &Caller,
        identity: &Identity,
    ) -> Addresses {
        if let Some(verbatim) = self.line.verbatim.as_deref().cloned() {
            return Addresses {
                from: verbatim.from,
                to: verbatim.to,
                contact_user: verbatim.contact,
                headers: verbatim.headers,
            };
        }
        let host = match (&self.line.domain, &self.credentials) {
            (Some(domain), _) => domain.clone(),
            (None, Some(_)) => host_text(&self.uri),
            (None, None) => cx.config.host.clone(),
        };
        let nobody = anonymous();
        let caller = if self.line.withheld { &nobody } else { caller };
        let as_user = |user: &str| Caller {
            user: user.to_owned(),
            display: caller.display.clone(),
        };
        let (caller, identity) = match (&self.line.user, &self.credentials) {
            // One who wants to stay unknown is not shown with the number of the line either.
            (Some(number), _) => (
                match is_anonymous(caller) {
                    true => caller.clone(),
                    false => as_user(number),
                },
                Identity {
                    asserted: Some(as_user(number)),
                    ..identity.clone()
                },
            ),
            (None, Some(c)) if caller.user.is_empty() => (as_user(&c.username), identity.clone()),
            (None, _) => (caller.clone(), identity.clone()),
        };
        let mut presentation = Presentation::new(&caller, &identity, &self.side(cx), (&host, &self.uri));
        let account = self.line.account.as_ref();
        if let Some(Ok(uri)) = account.map(|user| Uri::sip(Some(user), &host, None)) {
            presentation.from.uri = uri;
        }
        let of_user = self.account.user();
        let to = match of_user.map(|user| Uri::sip(Some(user), &cx.config.host, None)) {
            Some(Ok(uri)) => uri,
            _ => self.uri.bare(),
        };
        Addresses {
            from: presentation.from,
            to: Address::new(to),
            contact_user: self.line.contact.clone().unwrap_or(presentation.contact_user),
            headers: presentation.headers,
        }
    }
}
