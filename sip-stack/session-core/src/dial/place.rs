//! Places: where a party is called by a call of ours, or gets a message.

use sans_io::Time;
use sip_core::auth::Answerer;
use sip_core::endpoint::{Body, Headers, OutgoingRequest};
use sip_core::message::{Method, StatusCode};

use super::branch::{Branch, Ring, user_text};
use super::route::Refusal;
use super::{Caller, Dialling, OnFailure, OutgoingCall, Party};
use crate::call::Call;
use crate::context::Context;
use crate::identity::Identity;

impl OutgoingCall {
    /// The place where its party is called: the best one.
    ///
    /// # Errors
    /// The SIP code that says why the party cannot be called.
    pub(crate) fn place(&self, cx: &mut Context, now: Time) -> Result<Place, StatusCode> {
        let mut branches = Branch::all_of(cx, now, &self.party).map_err(|refusal| refusal.code)?;
        Ok(Place(branches.swap_remove(0)))
    }
}

/// A place where a party is called, or gets a message.
pub(crate) struct Place(Branch);

impl Place {
    /// The places of a party, at least one.
    ///
    /// # Errors
    /// The SIP code that says why it cannot be reached: 404 unknown user or trunk, 480 not registered.
    pub(crate) fn all_of(cx: &mut Context, party: &Party) -> Result<Vec<Place>, StatusCode> {
        let branches = Branch::for_message(cx, party).map_err(|refusal| refusal.code)?;
        Ok(branches.into_iter().map(Place).collect())
    }

    /// The MESSAGE to it.
    pub(crate) fn message(
        self,
        cx: &Context,
        from: &Caller,
        headers: Headers,
        body: Option<Body>,
    ) -> OutgoingRequest {
        // RFC 3428 §4: no Contact. A trunk is shown the sender as it is shown a caller.
        let addresses = self.0.presentation(cx, from, &Identity::ours(from));
        OutgoingRequest {
            method: Method::Message,
            target: self.0.target,
            request_uri: self.0.uri,
            from: addresses.from,
            to: addresses.to,
            contact: None,
            call: None,
            body,
            extra: addresses.headers.into_iter().chain(headers).collect(),
            answerer: self.0.credentials.map(Answerer::new),
            response_timeout: None,
        }
    }

    /// Number or name there.
    pub(crate) fn number(&self) -> String {
        user_text(&self.0.uri)
    }
}

impl Branch {
    /// The places of several parties, at least one.
    pub(super) fn of_any(cx: &mut Context, now: Time, parties: &[Party]) -> Result<Vec<Branch>, Refusal> {
        let (mut found, mut refusal) = (Vec::new(), None);
        for party in parties {
            match Branch::all_of(cx, now, party) {
                Ok(branches) => found.extend(branches),
                Err(refused) => refusal = refusal.or(Some(refused)),
            }
        }
        match found.is_empty() {
            true => Err(refusal.unwrap_or(Refusal::unknown())),
            false => Ok(found),
        }
    }
}

impl Call {
    /// Rings there, in a call of ours.
    pub(crate) fn ring_place(&mut self, cx: &mut Context, place: Place, call: OutgoingCall) {
        let leg = self.start_branch(cx, place.0, &call.caller, Ring::within(call.ring_timeout));
        if let Some(l) = self.leg_mut(leg) {
            l.set_application(call.application);
        }
        let dialling = Dialling::new(OnFailure::Reject, call.ring_timeout, call.caller);
        self.set_dialling(Some(dialling));
    }
}
