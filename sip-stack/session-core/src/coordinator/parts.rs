//! The parts of the coordinator, as its verbs reach them: calls by their ids and legs, and each machine beside the context that it
//! works with.

use std::collections::BTreeMap;

use media_core::control::{BridgeId, LegId};
use sip_core::endpoint;

use super::Coordinator;
use crate::SessionId;
use crate::admission::Admission;
use crate::bridge::Bridge;
use crate::call::Call;
use crate::context::Context;
use crate::instant::Messages;
use crate::leg::Leg;
use crate::registration::Registrations;
use crate::stir::Stir;
use crate::upstream::{RelayedSubscriptions, Relays};
use crate::watch::Watches;

impl Coordinator {
    pub(crate) fn call(&self, session: SessionId) -> Option<&Call> {
        self.calls.get(&session).map(|call| &**call)
    }

    pub(crate) fn call_of(&self, leg: LegId) -> Option<&Call> {
        self.call(self.context.index.session(leg)?)
    }

    pub(crate) fn leg(&self, leg: LegId) -> Option<&Leg> {
        self.call_of(leg)?.leg(leg)
    }

    /// Live calls, oldest first.
    pub(crate) fn calls(&self) -> impl Iterator<Item = &Call> {
        self.calls.values().map(|call| &**call)
    }

    pub(crate) fn call_count(&self) -> usize {
        self.calls.len()
    }

    pub(crate) fn insert_call(&mut self, call: Call) {
        self.watches.touch(&call);
        self.calls.insert(call.id(), Box::new(call));
    }

    /// Takes a call out, whose legs go over into another one.
    pub(crate) fn take_call(&mut self, session: SessionId) -> Option<Call> {
        if let Some(bridge) = self.call(session)?.shared_bridge() {
            self.remove_session_from_bridge(bridge, session).ok()?;
        }
        self.calls.remove(&session).map(|call| *call)
    }

    pub(crate) fn bridges(&self) -> &BTreeMap<BridgeId, Bridge> {
        &self.bridges
    }

    pub(crate) fn bridges_mut(&mut self) -> &mut BTreeMap<BridgeId, Bridge> {
        &mut self.bridges
    }

    /// Legs of a user, oldest first.
    pub(crate) fn legs_of_user(&self, user: &str) -> Vec<LegId> {
        self.context.index.of_user(user).collect()
    }

    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    pub(crate) fn context_mut(&mut self) -> &mut Context {
        &mut self.context
    }

    pub(crate) fn admission(&self) -> &Admission {
        &self.admission
    }

    pub(crate) fn admission_mut(&mut self) -> (&mut Admission, &mut Context) {
        (&mut self.admission, &mut self.context)
    }

    pub(crate) fn registrations(&self) -> &Registrations {
        &self.registrations
    }

    pub(crate) fn registrations_mut(&mut self) -> (&mut Registrations, &mut Context) {
        (&mut self.registrations, &mut self.context)
    }

    pub(crate) fn watches(&self) -> &Watches {
        &self.watches
    }

    pub(crate) fn watches_mut(&mut self) -> (&mut Watches, &mut Context) {
        (&mut self.watches, &mut self.context)
    }

    pub(crate) fn messages(&self) -> &Messages {
        &self.messages
    }

    pub(crate) fn messages_mut(&mut self) -> (&mut Messages, &mut Context) {
        (&mut self.messages, &mut self.context)
    }

    pub(crate) fn upstream_mut(&mut self) -> (&mut Relays, &mut Admission, &mut Context) {
        (&mut self.relays, &mut self.admission, &mut self.context)
    }

    pub(crate) fn pacing_mut(
        &mut self,
    ) -> (
        &mut Relays,
        &mut Admission,
        &mut RelayedSubscriptions,
        &mut Context,
    ) {
        (
            &mut self.relays,
            &mut self.admission,
            &mut self.relayed_subscriptions,
            &mut self.context,
        )
    }

    pub(crate) fn stir_mut(&mut self) -> (&mut Stir, &mut Context) {
        (&mut self.stir, &mut self.context)
    }

    pub(crate) fn relayed_subscriptions_mut(&mut self) -> (&mut RelayedSubscriptions, &mut Context) {
        (&mut self.relayed_subscriptions, &mut self.context)
    }

    pub(crate) fn probes_mut(&mut self) -> &mut BTreeMap<endpoint::RequestId, String> {
        &mut self.probes
    }

    /// The guard bans no address that a trunk has now.
    pub(crate) fn spare_trunks(&mut self) {
        self.admission.spare_trunks(&self.context);
    }

    /// Notes whether names of trunks are followed; whether they were.
    pub(crate) fn notes_followed(&mut self, follows: bool) -> bool {
        std::mem::replace(&mut self.follows, follows)
    }
}
