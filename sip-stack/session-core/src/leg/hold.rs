//! Hold of a leg, by its peer and by us.

use media_core::control::LegId;
use media_core::negotiated::Direction;
use sans_io::Time;
use sip_core::endpoint::{Body, Headers};
use sip_core::message::StatusCode;

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
    bound: Option<Bound>,
    /// True if both sides were to talk at some time.
    talked: bool,
}

/// Limit of what the peer may do, since another party permits no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bound {
    by: LegId,
    to: Direction,
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
        let is_asked = self.bound.is_some() && ours == self.wanted();
        self.theirs = match (device, ours) {
            // Its peer agreed to all that we asked for.
            _ if is_asked => Theirs::None,
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

    fn wanted(self) -> Direction {
        let ours = match self.ours {
            true => Direction::SendOnly,
            false => Direction::SendRecv,
        };
        self.bound.map_or(ours, |bound| ours.intersect(bound.to))
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

    /// The direction that we want: a peer that we hold is not to send, and nobody does what the other party of the call does not permit.
    pub(crate) fn wanted_direction(&self) -> Direction {
        self.hold.wanted()
    }

    /// True if another party limits what its peer may do.
    pub(crate) fn is_bound(&self) -> bool {
        self.hold.bound.is_some()
    }

    /// The party that limits what its peer may do.
    pub(crate) fn bound_by(&self) -> Option<LegId> {
        self.hold.bound.map(|bound| bound.by)
    }

    /// The most that another party permits its peer.
    pub(crate) fn permitted(&self) -> Direction {
        self.hold.bound.map_or(Direction::SendRecv, |bound| bound.to)
    }

    /// Notes the most that another party permits its peer. Takes effect with the next offer or answer.
    pub(crate) fn permit(&mut self, by: LegId, to: Direction) {
        self.hold.bound = (to != Direction::SendRecv).then_some(Bound { by, to });
    }

    /// Offers its peer what we want now.
    pub(crate) fn offer_again(&mut self, cx: &mut Context, now: Time) {
        if let Some(usage) = self.usage().filter(|_| self.is_up()) {
            let direction = self.wanted_direction();
            let sdp = self.offer_sdp(direction);
            cx.endpoint.offer(now, usage, Body::sdp(sdp));
        }
    }

    /// Offers its peer what we want now, once, with these headers.
    ///
    /// # Errors
    /// Nothing was offered: 491, since another change is under way.
    pub(crate) fn offer_once(
        &mut self,
        cx: &mut Context,
        now: Time,
        extra: Headers,
    ) -> Result<(), StatusCode> {
        let usage = self.usage().filter(|usage| cx.endpoint.may_offer(*usage));
        let usage = usage.ok_or(StatusCode::REQUEST_PENDING)?;
        let direction = self.wanted_direction();
        let sdp = self.offer_sdp(direction);
        match cx.endpoint.offer_once(now, usage, Body::sdp(sdp), extra) {
            true => Ok(()),
            false => Err(StatusCode::REQUEST_PENDING),
        }
    }

    /// Holds its peer, or takes it back. False if nothing changes.
    pub(crate) fn hold(&mut self, cx: &mut Context, now: Time, holding: bool) -> bool {
        if !self.is_up() || self.hold.ours == holding {
            return false;
        }
        self.hold.ours = holding;
        self.offer_again(cx, now);
        true
    }

    /// The peer's hold, if it is another than before.
    pub(crate) fn hold_event(&self, session: SessionId, before: bool) -> Option<Event> {
        let (leg, held): (LegId, bool) = (self.id, self.is_held());
        (held != before).then_some(Event::Hold { session, leg, held })
    }
}
