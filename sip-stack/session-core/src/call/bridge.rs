//! Audio of a call: who hears whom is read off its state. Its members hear each other, or everybody of the bridge that it was put
//! into; whoever hears nobody hears a sound.

use media_core::control::{BridgeId, LegId, Member};

use super::Call;
use crate::bridge::Wired;
use crate::context::Context;
use crate::dial::Dialling;
use crate::event::Event;
use crate::leg::{Hears, Leg};

/// Bridge of a call.
#[derive(Debug)]
pub(super) enum Bridge {
    /// Its members hear nobody, or each other.
    Own(Wired),
    /// They hear everybody of this bridge.
    Shared(BridgeId),
}

impl Call {
    /// Brings the audio of the call in line with its state. Called after every change of that state.
    pub(crate) fn wire(&mut self, cx: &mut Context) {
        if self.has_passed_on() || self.legs.iter().any(|l| l.foreign_codec().is_some()) {
            cx.settle_later(self.id);
        }
        let shared = match self.bridge {
            Bridge::Shared(bridge) => Some(bridge),
            Bridge::Own(_) => None,
        };
        if let Some(bridge) = shared {
            return cx.bridge_changed(bridge);
        }
        if self.is_ending() {
            return;
        }
        let mut wanted = self.share();
        if wanted.len() < 2 {
            wanted.clear();
        }
        self.wire_own(cx, &wanted);
        self.wire_outside(cx, &wanted);
    }

    fn wire_own(&mut self, cx: &mut Context, wanted: &[Member]) {
        // In a bridge of several calls the coordinator wires.
        let Bridge::Own(wired) = &mut self.bridge else {
            return;
        };
        if wired.members() == wanted {
            return;
        }
        let mut wired = std::mem::take(wired);
        self.enter(cx, wired.members(), wanted);
        wired.change(cx, wanted);
        self.bridge = Bridge::Own(wired);
        if !wanted.is_empty() {
            cx.event(Event::Bridged {
                session: self.id,
                legs: wanted.iter().map(|member| member.leg).collect(),
            });
        }
    }

    /// Members that may hear and be heard now, and the branch whose early media the caller hears.
    pub(crate) fn share(&self) -> Vec<Member> {
        if self.is_ending() {
            return Vec::new();
        }
        let early = self
            .dialling
            .as_ref()
            .and_then(Dialling::early)
            .filter(|_| self.callee().is_none());
        self.members()
            .into_iter()
            .chain(early)
            .filter_map(|leg| self.leg(leg))
            .filter(|l| is_present(l))
            .map(|l| Member {
                leg: l.id(),
                role: l.role(),
                shard: l.shard(),
            })
            .collect()
    }

    /// Prepares its legs for a bridge whose members change.
    pub(crate) fn enter(&mut self, cx: &mut Context, was: &[Member], wanted: &[Member]) {
        let is_in = |of: &[Member], leg: LegId| of.iter().any(|other| other.leg == leg);
        // A leg that has left hears nothing of the others from now on.
        for gone in was.iter().filter(|gone| !is_in(wanted, gone.leg)) {
            if let Some(l) = self.leg_mut(gone.leg) {
                l.set_hears(Hears::Nothing);
            }
        }
        for new in wanted.iter().filter(|new| !is_in(was, new.leg)) {
            if let Some(l) = self.leg_mut(new.leg) {
                l.change_sound(cx, Hears::Nothing);
                l.set_hears(Hears::Bridge);
            }
        }
    }

    /// Lets whoever is outside a bridge hear the sound that is due.
    pub(crate) fn wire_outside(&mut self, cx: &mut Context, wanted: &[Member]) {
        if self.is_ending() {
            return;
        }
        for at in 0..self.legs.len() {
            let leg = self.legs[at].id();
            if !wanted.iter().any(|other| other.leg == leg) {
                let hears = self.hears(&self.legs[at]);
                self.legs[at].change_sound(cx, hears);
            }
        }
    }

    /// Takes its own bridge down.
    pub(crate) fn unwire(&mut self, cx: &mut Context) {
        // It has none while it is in a bridge of several calls.
        let Bridge::Own(wired) = &mut self.bridge else {
            return;
        };
        let mut wired = std::mem::take(wired);
        let members = wired.members().to_vec();
        wired.change(cx, &[]);
        for member in members {
            if let Some(l) = self.leg_mut(member.leg) {
                l.set_hears(Hears::Nothing);
            }
        }
    }

    /// The bridge that it was put into.
    pub(crate) fn shared_bridge(&self) -> Option<BridgeId> {
        match self.bridge {
            Bridge::Shared(bridge) => Some(bridge),
            Bridge::Own(_) => None,
        }
    }

    /// Puts it into a bridge with other calls.
    pub(crate) fn enter_shared(&mut self, cx: &mut Context, bridge: BridgeId) {
        self.unwire(cx);
        self.bridge = Bridge::Shared(bridge);
        cx.bridge_changed(bridge);
    }

    /// Takes it out of the bridge that it was put into, whose members were these.
    pub(crate) fn leave_shared(&mut self, cx: &mut Context, was: &[Member]) {
        self.enter(cx, was, &[]);
        self.bridge = Bridge::Own(Wired::default());
        self.wire(cx);
    }

    /// Sound for a leg outside a bridge.
    pub(super) fn hears(&self, leg: &Leg) -> Hears {
        if !leg.is_connected() || leg.is_held() || leg.is_away() || leg.aside().is_some() {
            return Hears::Nothing;
        }
        if leg.application().is_some() {
            return Hears::Application;
        }
        let mut others = self
            .legs()
            .filter(|l| l.is_member() && l.id() != leg.id())
            .peekable();
        let is_alone = others.peek().is_none();
        if others.any(keeps_waiting) {
            // Whoever was told of the hold hears what the one who holds sends.
            return match leg.is_bound() {
                true => Hears::Nothing,
                false => Hears::Music,
            };
        }
        let is_transferred = || {
            self.invitations
                .iter()
                .any(|invitation| invitation.is_for_transfer())
        };
        // The party that asked for a transfer may have left before the target answered.
        if is_alone && ((self.is_kept() && leg.is_caller() && leg.is_up()) || is_transferred()) {
            return Hears::Music;
        }
        if leg.is_holding() {
            return Hears::Music;
        }
        if leg.is_caller() && self.dialling.is_some() && (leg.is_early() || self.waits_for_target()) {
            return Hears::Ringback;
        }
        Hears::Nothing
    }
}

/// Keeps whoever talks with it waiting.
fn keeps_waiting(leg: &Leg) -> bool {
    leg.is_holding() || leg.is_held() || leg.is_away() || leg.aside().is_some() || leg.holds_in_silence()
}

/// Takes part in a bridge: connected, neither held nor holding nor away.
fn is_present(leg: &Leg) -> bool {
    leg.is_connected() && !keeps_waiting(leg)
}
