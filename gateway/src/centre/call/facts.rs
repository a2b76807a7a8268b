//! Facts about a call that come from others: its live legs, whether agent and caller hear each other, and what the engine decided.

use call_engine::acd::{Fact, Input, Phase, QueueId};

use super::super::view::CallLeg;
use super::{Call, Context};

impl Call {
    /// Publishes the call if its legs are not as before: those of the caller's session, and of one in which the agent asks somebody.
    pub(in crate::centre) fn look_at_legs(&mut self, cx: &mut Context<'_>) {
        let sessions = [Some(self.session), self.consult().map(|consult| consult.session)];
        let legs: Vec<CallLeg> = sessions
            .into_iter()
            .flatten()
            .flat_map(|session| cx.coordinator.legs_in(session))
            .map(|leg| CallLeg::new(&leg, cx.directory.user_name(leg.user.as_deref())))
            .collect();
        if self.legs != legs {
            self.legs = legs;
            cx.publish();
        }
    }

    /// Caller and agent hear each other. The engine learns of the first time.
    pub(in crate::centre) fn audio_began(&mut self, cx: &mut Context<'_>) -> Option<Input> {
        self.bridged(cx.now);
        cx.publish();
        let is_first = matches!(cx.phase, Some(Phase::Connecting(_)));
        is_first.then_some(Input::Connected { call: cx.id })
    }

    /// Applies what the engine decided. Returns the queue that the call left, if it went to another one.
    pub(in crate::centre) fn apply(&mut self, fact: &Fact) -> Option<QueueId> {
        match fact {
            Fact::Connected { .. } => self.connected(),
            Fact::Held { held, .. } => self.set_held(*held),
            Fact::Moved { queue, .. } => return Some(std::mem::replace(&mut self.queue, *queue)),
            _ => {}
        }
        None
    }
}
