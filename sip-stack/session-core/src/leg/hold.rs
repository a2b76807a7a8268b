//! Hold of a leg, by its peer and by us.

use media_core::control::LegId;
use media_core::negotiated::Direction;
use sans_io::Time;
use sip_core::endpoint::Body;

use super::{Device, Leg};
use crate::SessionId;
use crate::context::Context;
use crate::event::Event;
use std::time::Duration;

/// Time after which the sound of a phone that holds us counts as music of its own, which may have pauses.
const OWN_MUSIC: Duration = Duration::from_secs(1);

/// Hold of a leg.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hold {
    /// We hold the peer.
    ours: bool,
    theirs: Theirs,
    /// True if both sides were to talk at some time.
    talked: bool,
}

/// Hold by the peer, as its last offer or answer says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Theirs {
    #[default]
    None,
    /// Neither hears us nor sends.
    Held,
    /// A phone that may send and does not want to hear.
    SendsOnly(Music),
}

/// Sound that a phone sends while it holds us: music of its own, or nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Music {
    /// Nothing since it holds us.
    #[default]
    None,
    /// Sends since this time.
    Since(Time),
    /// Has sent long enough to be believed when it pauses.
    Pausing,
}

impl Hold {
    /// An agreement in which we may send and receive as `ours` says.
    pub(super) fn agreed(&mut self, device: Device, ours: Direction) {
        self.talked |= ours == Direction::SendRecv;
        self.theirs = match (device, ours) {
            (_, Direction::Inactive) | (Device::Browser, Direction::RecvOnly) => Theirs::Held,
            (Device::Phone, Direction::RecvOnly) => match self.theirs {
                sends @ Theirs::SendsOnly(_) => sends,
                Theirs::None | Theirs::Held => Theirs::SendsOnly(Music::None),
            },
            (_, Direction::SendRecv | Direction::SendOnly) => Theirs::None,
        };
    }

    /// RTP of the peer flows, or stopped. True if that matters for whoever hears it: its sound is music of its own, and while
    /// there is none the others hear ours.
    pub(super) fn flows(&mut self, now: Time, flowing: bool) -> bool {
        let Theirs::SendsOnly(music) = &mut self.theirs else {
            return false;
        };
        *music = match *music {
            Music::None if flowing => Music::Since(now),
            Music::Since(began) if !flowing && now.since(began) >= OWN_MUSIC => Music::Pausing,
            Music::Since(_) if !flowing => Music::None,
            before => before,
        };
        true
    }

    fn is_silent(self, flows: bool) -> bool {
        matches!(self.theirs, Theirs::SendsOnly(music) if self.talked && !flows && music != Music::Pausing)
    }
}

impl Leg {
    /// Its peer holds us.
    pub(crate) fn is_held(&self) -> bool {
        self.hold.theirs == Theirs::Held
    }

    /// We hold its peer.
    pub(crate) fn is_holding(&self) -> bool {
        self.hold.ours
    }

    /// True if its peer is a phone that holds us by wanting to hear nothing, and sends nothing either.
    pub(crate) fn holds_in_silence(&self) -> bool {
        self.hold.is_silent(self.presence.flows())
    }

    /// Takes the hold of ours over from a leg whose place it takes.
    pub(crate) fn set_holding(&mut self, holding: bool) {
        self.hold.ours = holding;
    }

    /// The direction that we want: a peer that we hold is not to send.
    pub(crate) fn wanted_direction(&self) -> Direction {
        match self.hold.ours {
            true => Direction::SendOnly,
            false => Direction::SendRecv,
        }
    }

    /// Holds its peer, or takes it back. False if nothing changes.
    pub(crate) fn hold(&mut self, cx: &mut Context, now: Time, holding: bool) -> bool {
        if !self.is_up() || self.hold.ours == holding {
            return false;
        }
        self.hold.ours = holding;
        let direction = self.wanted_direction();
        let sdp = self.offer_sdp(direction);
        if let Some(usage) = self.usage() {
            cx.endpoint.offer(now, usage, Body::sdp(sdp));
        }
        true
    }

    /// The peer's hold, if it is another than before.
    pub(crate) fn hold_event(&self, session: SessionId, before: bool) -> Option<Event> {
        let (leg, held): (LegId, bool) = (self.id, self.is_held());
        (held != before).then_some(Event::Hold { session, leg, held })
    }
}
