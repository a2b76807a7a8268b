//! A phone outside of the call centre rings for the caller.

use call_engine::acd::QueueId;
use session_core::identity::{Diversion, DiversionReason};
use session_core::{Application, Caller, Invitation, LegId};

use super::super::invitation::invitation;
use super::super::journal::Ended;
use super::super::legs::Role;
use super::{Call, Context};
use crate::routing::Callee;

impl Call {
    /// Lets a phone outside ring for the caller, who hears that. False if nobody can be called there.
    pub(in crate::centre) fn ring_outside(
        &mut self,
        (callee, name): (Callee, String),
        fallback: Option<QueueId>,
        cx: &mut Context<'_>,
    ) -> bool {
        cx.coordinator.play(self.caller, Some(Application::Ringback));
        // A queue sends calls on by its settings, an agent by hand.
        let reason = match fallback {
            Some(_) => DiversionReason::Deflection,
            None => DiversionReason::Unconditional,
        };
        let by = Caller {
            user: self.to.clone(),
            display: String::new(),
        };
        let ours = Diversion {
            by,
            reason,
            private: false,
        };
        let invitation = Invitation {
            diverted: std::iter::once(ours).chain(callee.diversions).collect(),
            ..invitation(callee.party, None, Vec::new())
        };
        let Ok(leg) = cx.coordinator.invite(cx.now, self.session, invitation) else {
            return false;
        };
        self.forward(name, leg, fallback);
        cx.legs.set(leg, Role::Forwarded(cx.id));
        true
    }

    /// Somebody outside answered: caller and leg hear each other.
    pub(in crate::centre) fn answered_outside(&mut self, leg: LegId, cx: &mut Context<'_>) {
        self.forwarded(cx.now, leg);
        cx.legs.set(leg, Role::Other(cx.id));
        cx.coordinator.play(self.caller, None);
        cx.coordinator.admit_leg(cx.now, self.session, leg);
        cx.publish();
    }

    /// The caller comes back from outside, to wait under another number.
    pub(in crate::centre) fn come_back(&mut self, cx: &mut Context<'_>) {
        for leg in self.enter_again(cx.now) {
            cx.legs.remove(leg);
        }
        cx.coordinator.play(self.caller, Some(Application::Music));
        self.save(cx);
    }

    /// Facts of the call under the number that it had until it came back from outside.
    pub(in crate::centre) fn so_far(&self) -> Ended {
        Ended {
            from: self.from.clone(),
            to: self.to.clone(),
            ..Ended::default()
        }
    }
}
