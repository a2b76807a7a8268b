//! Who hears whom: the wish is read off the state of the session, and what changed is told to the shard.

use media_core::control::{Application, BridgeId, Command, LegId, Role};

use crate::coordinator::Coordinator;
use crate::leg::{Hears, State};
use crate::{Event, SessionId};

impl Coordinator {
    /// Brings the media of a session in line with its state. Called after every change of that state.
    pub(crate) fn wire(&mut self, session: SessionId) {
        let Some(s) = self.sessions.get(&session) else {
            return;
        };
        if s.ending.is_some() {
            return;
        }
        let pair = match (s.caller, s.callee, s.dialling.as_ref().and_then(|d| d.early)) {
            (Some(a), Some(b), _) | (Some(a), None, Some(b)) => Some([a, b]),
            _ => None,
        };
        let joined = pair.filter(|legs| legs.iter().all(|leg| self.is_present(*leg)));
        let legs = s.legs.clone();
        if s.bridge.map(|(_, legs)| legs) != joined {
            if let Some((bridge, legs)) = s.bridge {
                self.command(legs[0], Command::Unbridge { bridge });
                for leg in legs {
                    self.set_hears(leg, Hears::Nothing);
                }
            }
            let next = joined.map(|legs| (BridgeId(self.next_id()), legs));
            if let Some(s) = self.sessions.get_mut(&session) {
                s.bridge = next;
            }
            if let Some((bridge, legs)) = next {
                for leg in legs {
                    self.change_sound(leg, Hears::Nothing);
                    self.set_hears(leg, Hears::Bridge);
                }
                let members = legs.map(|leg| (leg, Role::Party)).to_vec();
                self.command(legs[0], Command::Bridge { bridge, members });
                self.event(Event::Bridged { session, legs });
            }
        }
        if joined.is_none() {
            for leg in legs {
                let hears = self.hears(leg);
                self.change_sound(leg, hears);
            }
        }
    }

    /// Takes part in a bridge: connected, neither held nor holding nor away.
    fn is_present(&self, leg: LegId) -> bool {
        self.legs
            .get(&leg)
            .is_some_and(|l| l.is_connected() && !l.held && !l.holding && !l.presence.away)
    }

    /// What a leg outside a bridge hears.
    fn hears(&self, leg: LegId) -> Hears {
        let Some(l) = self.legs.get(&leg).filter(|l| l.is_connected()) else {
            return Hears::Nothing;
        };
        let Some(s) = self.sessions.get(&l.session) else {
            return Hears::Nothing;
        };
        if l.held || l.presence.away {
            return Hears::Nothing;
        }
        if l.application.is_some() {
            return Hears::Application;
        }
        let waits_for = s.other(leg).and_then(|other| self.legs.get(&other));
        match waits_for {
            Some(other) if other.holding || other.held || other.presence.away => Hears::Music,
            _ if l.holding => Hears::Music,
            _ if s.caller == Some(leg) && s.dialling.is_some() && l.state == State::Early => Hears::Ringback,
            _ => Hears::Nothing,
        }
    }

    fn change_sound(&mut self, leg: LegId, hears: Hears) {
        let Some(l) = self.legs.get_mut(&leg) else { return };
        if l.hears == hears || !l.is_connected() {
            return;
        }
        let was = std::mem::replace(&mut l.hears, hears);
        if was == Hears::Bridge && hears == Hears::Nothing {
            return; // the bridge itself is taken down or put in place by the caller
        }
        let application = match hears {
            Hears::Nothing | Hears::Bridge => None,
            Hears::Ringback => Some(Application::Ringback),
            Hears::Music => Some(Application::Music),
            Hears::Application => l.application.clone(),
        };
        self.command(leg, Command::Play { leg, application });
    }

    fn set_hears(&mut self, leg: LegId, hears: Hears) {
        if let Some(l) = self.legs.get_mut(&leg) {
            l.hears = hears;
        }
    }
}
