//! MESSAGE and PUBLISH of a client of the PBX, outside of any dialog.

use sans_io::Time;
use sip_core::endpoint::{Body, Headers, OutgoingRequest, ServerTx};
use sip_core::flow::Flow;
use sip_core::message::{Message, Method, StatusCode};

use super::relay::{Relay, outgoing};
use super::{Aor, is_browser, lines_of};
use crate::admission::Reason;
use crate::context::Context;
use crate::coordinator::Coordinator;
use crate::incoming::host_of;

/// Headers that say what a request is about.
const PASSED_ON: [&str; 11] = [
    "Event",
    "SIP-If-Match",
    "Expires",
    "Content-Disposition",
    "Content-Language",
    "Date",
    "Subject",
    "In-Reply-To",
    "Priority",
    "Privacy",
    "P-Preferred-Identity",
];

impl Coordinator {
    /// Passes a request of a client of the PBX on; false if it is of somebody else. The connection has to be registered.
    pub(crate) fn request_upstream(
        &mut self,
        now: Time,
        tx: ServerTx,
        request: &Message,
        flow: Flow,
    ) -> bool {
        let cx = self.context_mut();
        let Some(speaks) = cx.client_over(now, request, flow) else {
            return false;
        };
        let aor = match speaks {
            Ok(aor) => aor,
            Err((code, reason)) => {
                let from = crate::incoming::user_of(request.from().uri);
                cx.refused(request, flow, &from, code, reason);
                cx.endpoint.reply(now, tx, code, Headers::new(), None);
                return true;
            }
        };
        match passed_on(cx, &aor, request) {
            Some(outgoing) => {
                let relay = Relay::new(tx, aor, (request, flow), None);
                self.relay(now, relay, outgoing);
            }
            None => cx
                .endpoint
                .reply(now, tx, StatusCode::SERVICE_UNAVAILABLE, Headers::new(), None),
        }
        true
    }
}

impl Context {
    /// Client of the PBX that a request outside of any dialog comes from; `None` if it comes from somebody else.
    ///
    /// # Errors
    /// The status that refuses it: 403 for a client that is not registered over this connection, or speaks in another name, 404 for
    /// another domain.
    pub(crate) fn client_over(
        &self,
        now: Time,
        request: &Message,
        flow: Flow,
    ) -> Option<Result<Aor, (StatusCode, Reason)>> {
        let shown = request.from();
        let speaks = self.directory.speaks_for(now, request, flow);
        let Some(aor) = speaks
            .and_then(|(user, _)| Aor::parse(user))
            .filter(|aor| self.is_pbxs(aor))
        else {
            let claims = Aor::of(shown.uri).is_some_and(|aor| self.is_pbxs(&aor));
            let is_stranger = claims && is_browser(request, flow) && speaks.is_none();
            return is_stranger.then_some(Err((StatusCode::FORBIDDEN, Reason::UnknownSource)));
        };
        let is_anonymous = shown
            .uri
            .host()
            .is_some_and(|host| host.to_string() == "anonymous.invalid");
        if !is_anonymous && Aor::of(shown.uri).as_ref() != Some(&aor) {
            return Some(Err((StatusCode::FORBIDDEN, Reason::OtherUser)));
        }
        if !request.uri().is_some_and(|uri| self.is_of_pbx(&host_of(uri))) {
            return Some(Err((StatusCode::NOT_FOUND, Reason::ForeignDomain)));
        }
        Some(Ok(aor))
    }
}

/// The request for the PBX.
fn passed_on(cx: &Context, aor: &Aor, request: &Message) -> Option<OutgoingRequest> {
    let method = match request.method()? {
        Method::Publish => Method::Publish,
        _ => Method::Message,
    };
    let body = request.content_type().filter(|_| !request.body().is_empty());
    Some(OutgoingRequest {
        body: body.map(|content_type| Body {
            content_type: content_type.to_owned(),
            data: request.body_bytes(),
        }),
        ..outgoing(cx, aor, request, method, lines_of(request, &PASSED_ON))?
    })
}
