//! Wiring of sessions: the wish is read off the state of the session, and changes are sent to the shard.

use media_core::control::{Application, BridgeId, Command, LegId, Member};

use crate::coordinator::{Coordinator, Output};
use crate::leg::{Hears, State};
use crate::{Event, SessionId};

/// A bridge as the shards know it.
#[derive(Clone, Debug)]
pub(crate) struct Bridge {
    id: BridgeId,
    /// Shard on which its members meet: that of the first one.
    home: u8,
    members: Vec<Member>,
}

impl Coordinator {
    /// Brings the media of a session in line with its state. Called after every change of that state.
    pub(crate) fn wire(&mut self, session: SessionId) {
        let Some(s) = self.sessions.get(&session) else {
            return;
        };
        if s.ending.is_some() {
            return;
        }
        let early = s
            .dialling
            .as_ref()
            .and_then(|d| d.early)
            .filter(|_| s.callee.is_none());
        let wanted: Vec<Member> = s
            .members()
            .chain(early)
            .filter(|leg| self.is_present(*leg))
            .filter_map(|leg| self.legs.get(&leg))
            .map(|l| Member {
                leg: l.id,
                role: l.role,
                shard: l.shard,
            })
            .collect();
        let wanted = if wanted.len() < 2 { Vec::new() } else { wanted };
        let legs = s.legs.clone();
        let before = s.bridge.clone();
        let was = before.as_ref().map_or(&[][..], |bridge| &bridge.members);
        if was != wanted {
            let stays = |leg: LegId| wanted.iter().any(|other| other.leg == leg);
            // A leg that has left hears nothing of the session from now on.
            for gone in was.iter().filter(|gone| !stays(gone.leg)) {
                self.set_hears(gone.leg, Hears::Nothing);
            }
            let comes = |leg: LegId| !was.iter().any(|other| other.leg == leg);
            for new in wanted.iter().filter(|new| comes(new.leg)) {
                self.change_sound(new.leg, Hears::Nothing);
                self.set_hears(new.leg, Hears::Bridge);
            }
            let next = match (&before, wanted.first()) {
                (Some(before), None) => {
                    self.command_all(before, &[], Command::Unbridge { bridge: before.id });
                    None
                }
                (None, None) => None,
                (before, Some(first)) => {
                    let next = Bridge {
                        id: before
                            .as_ref()
                            .map_or_else(|| BridgeId(self.next_id()), |bridge| bridge.id),
                        home: before.as_ref().map_or(first.shard, |bridge| bridge.home),
                        members: wanted.clone(),
                    };
                    let command = Command::Bridge {
                        bridge: next.id,
                        home: next.home,
                        members: wanted.clone(),
                    };
                    self.command_all(&next, was, command);
                    let legs = wanted.iter().map(|member| member.leg).collect();
                    self.event(Event::Bridged { session, legs });
                    Some(next)
                }
            };
            if let Some(s) = self.sessions.get_mut(&session) {
                s.bridge = next;
            }
        }
        for leg in legs {
            if !wanted.iter().any(|other| other.leg == leg) {
                let hears = self.hears(leg);
                self.change_sound(leg, hears);
            }
        }
    }

    /// Takes the bridge of a session down.
    pub(crate) fn unwire(&mut self, session: SessionId) {
        let bridge = self.sessions.get_mut(&session).and_then(|s| s.bridge.take());
        if let Some(bridge) = bridge {
            self.command_all(&bridge, &[], Command::Unbridge { bridge: bridge.id });
            for member in bridge.members {
                self.set_hears(member.leg, Hears::Nothing);
            }
        }
    }

    /// Tells every shard that has to do with a bridge: its home, and those of its members and of its members `before`.
    fn command_all(&mut self, bridge: &Bridge, before: &[Member], command: Command) {
        let mut shards = vec![bridge.home];
        for member in bridge.members.iter().chain(before) {
            if !shards.contains(&member.shard) {
                shards.push(member.shard);
            }
        }
        for shard in shards {
            let command = command.clone();
            self.out.push_back(Output::Media { shard, command });
        }
    }

    /// Takes part in a bridge: connected, neither held nor holding nor away.
    fn is_present(&self, leg: LegId) -> bool {
        self.legs.get(&leg).is_some_and(|l| {
            l.is_connected()
                && !l.held
                && !l.holding
                && !l.presence.away
                && l.aside.is_none()
                && !l.holds_in_silence()
        })
    }

    /// Sound for a leg outside a bridge.
    fn hears(&self, leg: LegId) -> Hears {
        let Some(l) = self.legs.get(&leg).filter(|l| l.is_connected()) else {
            return Hears::Nothing;
        };
        let Some(s) = self.sessions.get(&l.session) else {
            return Hears::Nothing;
        };
        if l.held || l.presence.away || l.aside.is_some() {
            return Hears::Nothing;
        }
        if l.application.is_some() {
            return Hears::Application;
        }
        let waits = |other: LegId| {
            self.legs.get(&other).is_some_and(|l| {
                l.holding || l.held || l.presence.away || l.aside.is_some() || l.holds_in_silence()
            })
        };
        let others = || s.members().filter(|other| *other != leg);
        match others().next() {
            Some(_) if others().any(waits) => Hears::Music,
            None if s.kept && s.caller == Some(leg) && l.state == State::Up => Hears::Music,
            // The party that asked for a transfer left before the target answered.
            None if s
                .offers
                .iter()
                .any(|offer| self.transfers.contains_key(&offer.name)) =>
            {
                Hears::Music
            }
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
