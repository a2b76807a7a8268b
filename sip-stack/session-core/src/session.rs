//! A session: one call from its first INVITE to its record.

use std::time::Duration;

use media_core::control::LegId;
use sans_io::Time;
use sip_core::flow::Flow;

use crate::event::{Cause, Fault, LegRecord, Source};
use crate::verb::{Caller, OnFailure};
use crate::wiring::Bridge;

/// A call. Unique in the life of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// State of a call.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) source: Option<Source>,
    pub(crate) from: Caller,
    pub(crate) to: String,
    /// `Max-Forwards` of the caller's INVITE, at least 1; calls dialled for it get one less.
    pub(crate) max_forwards: u8,
    pub(crate) began: Time,
    pub(crate) answered: Option<Time>,
    /// The leg that called us; `None` for a call of ours.
    pub(crate) caller: Option<LegId>,
    /// The party that answered.
    pub(crate) callee: Option<LegId>,
    /// Those who joined the two.
    pub(crate) guests: Vec<LegId>,
    pub(crate) dialling: Option<Dialling>,
    /// Offers that ring.
    pub(crate) offers: Vec<Offered>,
    /// True if it ends with its caller, and with nobody else.
    pub(crate) kept: bool,
    /// Time that a browser of it may be away; `None`: as configured.
    pub(crate) grace: Option<Duration>,
    /// The bridge in force.
    pub(crate) bridge: Option<Bridge>,
    /// Legs that are not wholly gone.
    pub(crate) legs: Vec<LegId>,
    pub(crate) records: Vec<LegRecord>,
    /// True if its caller gave up because somebody else answered for it; ringing phones show no missed call.
    pub(crate) elsewhere: bool,
    pub(crate) ending: Option<Ending>,
    /// Fault of the leg whose end decides.
    pub(crate) fault: Option<Fault>,
}

/// Branches that ring.
#[derive(Debug)]
pub(crate) struct Dialling {
    pub(crate) branches: Vec<LegId>,
    /// The branch whose early media the caller hears.
    pub(crate) early: Option<LegId>,
    /// Best final response so far.
    pub(crate) best: u16,
    pub(crate) on_failure: OnFailure,
    /// Time that each branch may ring.
    pub(crate) ring_timeout: Duration,
    /// Caller as shown.
    pub(crate) caller: Caller,
    /// Targets that redirections led to already, as text: none is tried twice.
    pub(crate) redirected: Vec<String>,
    /// Phones of users that name another place, and wait for the application's decision.
    pub(crate) diverted: Vec<LegId>,
    /// Users whose connection closed while they rang: they ring again as soon as they are back.
    pub(crate) absent: Vec<String>,
    /// Connections of phones that rang in vain: they do not ring again for somebody who comes back elsewhere.
    pub(crate) failed: Vec<Flow>,
}

impl Dialling {
    /// Branches that ring from the start.
    pub(crate) fn new(
        branches: Vec<LegId>,
        best: u16,
        on_failure: OnFailure,
        ring_timeout: Duration,
        caller: Caller,
    ) -> Dialling {
        Dialling {
            branches,
            early: None,
            best,
            on_failure,
            ring_timeout,
            caller,
            redirected: Vec::new(),
            diverted: Vec::new(),
            absent: Vec::new(),
            failed: Vec::new(),
        }
    }

    /// True if nobody rings, nor may yet.
    pub(crate) fn is_over(&self) -> bool {
        self.branches.is_empty() && self.diverted.is_empty() && self.absent.is_empty()
    }

    /// Removes a branch that is over.
    pub(crate) fn remove(&mut self, branch: LegId) {
        self.branches.retain(|other| *other != branch);
        if self.early == Some(branch) {
            self.early = None;
        }
    }
}

/// A party that is called for a caller who waits. Its first branch names it.
#[derive(Clone, Debug)]
pub(crate) struct Offered {
    pub(crate) name: LegId,
    /// Those that ring; several where a user registered several contacts.
    pub(crate) branches: Vec<LegId>,
    /// Best final response so far.
    pub(crate) best: u16,
}

/// Cause and time of a session's end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    pub(crate) at: Time,
    pub(crate) cause: Cause,
    pub(crate) code: u16,
}

impl Session {
    /// A session in which nothing happened yet.
    pub(crate) fn new(
        id: SessionId,
        source: Option<Source>,
        from: Caller,
        to: String,
        began: Time,
    ) -> Session {
        Session {
            id,
            source,
            from,
            to,
            max_forwards: 71,
            began,
            answered: None,
            caller: None,
            callee: None,
            guests: Vec::new(),
            dialling: None,
            offers: Vec::new(),
            kept: false,
            grace: None,
            bridge: None,
            legs: Vec::new(),
            records: Vec::new(),
            elsewhere: false,
            ending: None,
            fault: None,
        }
    }

    /// Those who are in it, the caller first.
    pub(crate) fn members(&self) -> impl Iterator<Item = LegId> + '_ {
        self.caller
            .into_iter()
            .chain(self.callee)
            .chain(self.guests.iter().copied())
    }

    /// Takes a leg out of those who are in it; true when it was there.
    pub(crate) fn remove_member(&mut self, leg: LegId) -> bool {
        let before = self.members().count();
        self.guests.retain(|guest| *guest != leg);
        if self.callee == Some(leg) {
            self.callee = (!self.guests.is_empty()).then(|| self.guests.remove(0));
        }
        if self.caller == Some(leg) {
            self.caller = None;
        }
        self.members().count() < before
    }

    /// Puts a leg among them.
    pub(crate) fn add_member(&mut self, leg: LegId) {
        match self.callee {
            None => self.callee = Some(leg),
            Some(_) => self.guests.push(leg),
        }
    }

    /// Puts a leg among them in the place of another one.
    pub(crate) fn put_in_place(&mut self, of: LegId, leg: LegId) {
        let mut members = self
            .caller
            .iter_mut()
            .chain(&mut self.callee)
            .chain(&mut self.guests);
        if let Some(member) = members.find(|member| **member == of) {
            *member = leg;
        }
    }

    /// The offer that a branch belongs to.
    pub(crate) fn offer_of(&self, branch: LegId) -> Option<usize> {
        self.offers
            .iter()
            .position(|offer| offer.branches.contains(&branch))
    }

    /// The other leg of a call of two.
    pub(crate) fn other(&self, leg: LegId) -> Option<LegId> {
        match (self.caller, self.callee) {
            (Some(a), Some(b)) if a == leg => Some(b),
            (Some(a), Some(b)) if b == leg => Some(a),
            (Some(a), None) if a != leg => Some(a),
            (Some(a), None) if a == leg => self.dialling.as_ref().and_then(|d| d.early),
            _ => None,
        }
    }
}

/// The one of two final responses that tells the caller more (RFC 3261 §16.7 step 6): a 6xx ends everything,
/// then decisions of people (busy, declined) before faults of the network.
pub(crate) fn better(old: u16, new: u16) -> u16 {
    fn rank(code: u16) -> u8 {
        match code {
            600..=699 => 0,
            486 => 1,
            484 | 404 | 410 => 3,
            480 => 4,
            487 | 408 => 6,
            500..=599 => 7,
            0 => 9,
            _ => 2,
        }
    }
    if rank(new) < rank(old) { new } else { old }
}
