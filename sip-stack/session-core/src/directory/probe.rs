//! Asking whether the program behind a contact runs: SIP OPTIONS, which JsSIP and SIP.js answer in JavaScript. A WebSocket's pong
//! says nothing about the page.

use sans_io::Time;
use sip_core::endpoint::{OutgoingRequest, RequestId, Target};
use sip_core::message::{Address, Method};
use sip_core::uri::Uri;

use crate::coordinator::Coordinator;
use crate::event::Event;

impl Coordinator {
    /// Asks every contact of a user for a sign of life. [`Event::Alive`] reports those that answer, with
    /// whatever response.
    pub fn probe(&mut self, now: Time, user: &str) {
        let contacts: Vec<_> = self
            .context()
            .directory
            .contacts(user)
            .map(|contact| {
                let target = Target::Contact {
                    flow: contact.flow,
                    path: contact.path.clone(),
                };
                (target, contact.uri.clone())
            })
            .collect();
        for (target, uri) in contacts {
            let Ok(me) = Uri::sip(Some("ping"), &self.context().config.host, None) else {
                debug_assert!(false, "our own host is no host of a URI");
                return;
            };
            let request = OutgoingRequest {
                method: Method::Options,
                target,
                to: Address::new(uri.bare()),
                request_uri: uri,
                from: Address::new(me),
                contact_user: None,
                contact_params: String::new(),
                call: None,
                extra: Vec::new(),
                body: None,
                credentials: None,
            };
            let request = self.context_mut().endpoint.request(now, request);
            self.probes_mut().insert(request, user.to_owned());
        }
    }

    /// The end of a probe, if it was one.
    pub(crate) fn probe_answered(&mut self, request: RequestId, alive: bool) -> bool {
        let Some(user) = self.probes_mut().remove(&request) else {
            return false;
        };
        if alive {
            self.context_mut().event(Event::Alive { user });
        }
        true
    }
}
