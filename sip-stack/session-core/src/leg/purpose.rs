//! Purpose of a leg in its call.

use media_core::control::LegId;

use super::{Asker, Direction, Leg};

/// Purpose of a leg.
#[derive(Debug)]
pub(crate) enum Purpose {
    /// Rings because its call is dialled.
    Branch,
    /// Rings for an invitation, or has answered it and was not admitted yet.
    Invited,
    /// Takes part in the call.
    Member(Membership),
    /// Called us, and gets the place of another leg as soon as it is answered (RFC 3891).
    Replacing(LegId),
    /// Called us, and comes into the call of another leg as soon as it is answered (RFC 3911).
    Joining(LegId),
    /// Was in the call before a restart, and is asked to go on.
    Recovering,
    /// Is out of the call; its dialog or its media are not over yet.
    Leaving,
}

/// A leg that takes part in a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Membership {
    pub(crate) seat: Seat,
    /// Place in the order in which members came.
    pub(crate) order: u32,
    pub(crate) part: Part,
}

/// Standing of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seat {
    /// The party whose call it is: who called us, or is first after others left. At most one.
    Caller,
    /// Everybody else.
    Other,
}

/// Share of a member in the call's audio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Hears and is heard.
    Talks,
    /// Neither hears nor is heard while this invitation rings to take its place.
    Aside(LegId),
}

impl Membership {
    /// The one who called us.
    pub(crate) fn caller() -> Membership {
        Membership {
            seat: Seat::Caller,
            order: 0,
            part: Part::Talks,
        }
    }
}

impl Leg {
    pub(crate) fn purpose(&self) -> &Purpose {
        &self.purpose
    }

    pub(crate) fn set_purpose(&mut self, purpose: Purpose) {
        self.purpose = purpose;
    }

    /// Rings for an invitation, which this names, from now on.
    pub(crate) fn invite_for(&mut self, invitation: LegId) {
        match &mut self.direction {
            Direction::Outgoing { asker, .. } => *asker = Asker::Invitation(invitation),
            Direction::Incoming => debug_assert!(false, "whoever rings for an invitation was called by us"),
        }
        self.purpose = Purpose::Invited;
    }

    /// The invitation that it rings, or rang, for.
    pub(crate) fn invitation(&self) -> Option<LegId> {
        match self.direction {
            Direction::Outgoing {
                asker: Asker::Invitation(invitation),
                ..
            } => Some(invitation),
            Direction::Outgoing { .. } | Direction::Incoming => None,
        }
    }

    /// Its membership. One that asks for another's place, asks to join a call, or goes on after a restart, is the caller of its own call.
    pub(crate) fn member(&self) -> Option<Membership> {
        match self.purpose {
            Purpose::Member(member) => Some(member),
            Purpose::Replacing(_) | Purpose::Joining(_) | Purpose::Recovering => Some(Membership::caller()),
            Purpose::Branch | Purpose::Invited | Purpose::Leaving => None,
        }
    }

    pub(crate) fn is_member(&self) -> bool {
        self.member().is_some()
    }

    pub(crate) fn is_caller(&self) -> bool {
        self.member().is_some_and(|member| member.seat == Seat::Caller)
    }

    /// Rings because its call is dialled.
    pub(crate) fn is_branch(&self) -> bool {
        matches!(self.purpose, Purpose::Branch)
    }

    /// Rings for that invitation, or has answered it and was not admitted yet.
    pub(crate) fn is_invited_for(&self, invitation: LegId) -> bool {
        matches!(self.purpose, Purpose::Invited) && self.invitation() == Some(invitation)
    }

    pub(crate) fn is_recovering(&self) -> bool {
        matches!(self.purpose, Purpose::Recovering)
    }

    /// The invitation that rings to take its place.
    pub(crate) fn aside(&self) -> Option<LegId> {
        match self.purpose {
            Purpose::Member(Membership {
                part: Part::Aside(invitation),
                ..
            }) => Some(invitation),
            _ => None,
        }
    }

    /// Steps aside, or comes back.
    pub(crate) fn set_part(&mut self, part: Part) {
        if let Purpose::Member(member) = &mut self.purpose {
            member.part = part;
        }
    }

    pub(crate) fn set_seat(&mut self, seat: Seat) {
        if let Purpose::Member(member) = &mut self.purpose {
            member.seat = seat;
        }
    }
}
