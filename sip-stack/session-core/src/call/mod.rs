//! A call: from its first INVITE to its record, with every leg that it has.

mod announce;
mod answer;
mod bridge;
mod check;
mod description;
mod dtmf;
mod ending;
mod formats;
mod hangup;
mod media;
mod member;
mod merge;
mod new_call;
mod outward;
mod passed_reason;
mod passing;
mod presence;
mod reoffer;
mod silence;

use std::time::Duration;

use media_core::control::LegId;
use media_core::sdp::Fax;
use sans_io::Time;

use bridge::Bridge;
pub use description::{CallSession, CallState};
pub(crate) use dtmf::Digit;
pub(crate) use ending::End;
use ending::Phase;
pub(crate) use new_call::NewCall;
pub(crate) use passed_reason::PassedReason;
use passing::Passing;

use crate::bridge::Wired;
use crate::context::Context;
use crate::dial::{Caller, Dialling, Ringing};
use crate::event::Source;
use crate::identity::Identity;
use crate::leg::{Leg, Membership, Part, Purpose, Seat};
use crate::record::{Fault, Forwarding, LegRecord};
use crate::stir::Verdict;
use crate::transfer::Asked;
use crate::upstream::Outward;

/// A call. Unique among all that [`Config::first_id`](crate::Config::first_id) keeps apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// State of a call.
#[derive(Debug)]
pub(crate) struct Call {
    id: SessionId,
    source: Option<Source>,
    from: Caller,
    /// Identity of its caller beside what is shown.
    identity: Identity,
    to: String,
    /// Forwardings of it by us, in order.
    forwarded: Vec<Forwarding>,
    /// `Max-Forwards` of the caller's INVITE, at least 1; calls dialled for it get one less.
    max_forwards: u8,
    began: Time,
    answered: Option<Time>,
    /// Shard of its media: new legs go there.
    shard: u8,
    /// Legs that are not wholly gone.
    legs: Vec<Leg>,
    /// Members that came so far.
    came: u32,
    dialling: Option<Dialling>,
    /// Outcome of the last dial, while the application decides what comes next.
    failed: Option<End>,
    /// Invitations that ring.
    invitations: Vec<Ringing>,
    lifetime: Lifetime,
    /// Time that a browser of it may be away; `None`: as configured.
    grace: Option<Duration>,
    bridge: Bridge,
    /// Offer of one party that waits for what the other one makes of it.
    passing: Option<Passing>,
    records: Vec<LegRecord>,
    /// Fault of the leg that failed last, and whose end may decide.
    fault: Option<Fault>,
    phase: Phase,
    /// INVITE of its caller, if it goes on to a PBX.
    outward: Option<Outward>,
    /// REFER that asked for it.
    asked: Option<Asked>,
    /// Fax that its caller's INVITE offers, and nothing beside.
    fax: Option<Fax>,
}

/// Members without whom a call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lifetime {
    /// Ends when fewer than two parties are left.
    Two,
    /// Ends with its caller, and with nobody else.
    Caller,
}

impl Call {
    /// A call without legs.
    pub(crate) fn new(cx: &mut Context, new: NewCall) -> Call {
        cx.index.add_call(new.source.as_ref());
        Call {
            id: new.id,
            source: new.source,
            from: new.from,
            identity: new.identity,
            to: new.to,
            forwarded: Vec::new(),
            max_forwards: new.max_forwards,
            began: new.began,
            answered: new.answered,
            shard: new.shard,
            legs: Vec::new(),
            came: 0,
            dialling: None,
            failed: None,
            invitations: Vec::new(),
            lifetime: Lifetime::Two,
            grace: None,
            bridge: Bridge::Own(Wired::default()),
            passing: None,
            records: Vec::new(),
            fault: None,
            phase: Phase::Live,
            outward: None,
            asked: None,
            fax: None,
        }
    }

    pub(crate) fn id(&self) -> SessionId {
        self.id
    }

    pub(crate) fn source(&self) -> Option<&Source> {
        self.source.as_ref()
    }

    /// The caller, as shown.
    pub(crate) fn from(&self) -> &Caller {
        &self.from
    }

    /// Identity of its caller beside what is shown.
    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Notes the verdict on the caller's signature, and the signatures if they are good.
    pub(crate) fn set_verdict(&mut self, verdict: Verdict, signatures: &[String]) {
        if matches!(verdict, Verdict::Verified(_)) {
            self.identity.signatures = signatures.to_vec();
        }
        self.identity.verdict = Some(verdict);
    }

    pub(crate) fn identity_mut(&mut self) -> &mut Identity {
        &mut self.identity
    }

    /// Notes a step of its way.
    pub(crate) fn add_forwarding(&mut self, step: Forwarding) {
        self.forwarded.push(step);
    }

    /// Number or name that was dialled.
    pub(crate) fn to(&self) -> &str {
        &self.to
    }

    pub(crate) fn began(&self) -> Time {
        self.began
    }

    pub(crate) fn shard(&self) -> u8 {
        self.shard
    }

    pub(crate) fn max_forwards(&self) -> u8 {
        self.max_forwards
    }

    pub(crate) fn is_ending(&self) -> bool {
        !matches!(self.phase, Phase::Live)
    }

    /// Everything of it is gone.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }

    pub(crate) fn is_kept(&self) -> bool {
        self.lifetime == Lifetime::Caller
    }

    pub(crate) fn set_lifetime(&mut self, lifetime: Lifetime) {
        self.lifetime = lifetime;
    }

    pub(crate) fn set_grace(&mut self, grace: Duration) {
        self.grace = Some(grace);
    }

    pub(crate) fn set_fault(&mut self, fault: Option<Fault>) {
        self.fault = fault;
    }

    pub(crate) fn fault(&self) -> Option<Fault> {
        self.fault
    }

    pub(crate) fn note_answered(&mut self, now: Time) {
        self.answered.get_or_insert(now);
    }

    pub(crate) fn leg(&self, leg: LegId) -> Option<&Leg> {
        self.legs.iter().find(|l| l.id() == leg)
    }

    pub(crate) fn leg_mut(&mut self, leg: LegId) -> Option<&mut Leg> {
        self.legs.iter_mut().find(|l| l.id() == leg)
    }

    /// A leg of the call by which the call was found, so that it must be here.
    pub(crate) fn found_leg(&mut self, leg: LegId) -> Option<&mut Leg> {
        let found = self.legs.iter_mut().find(|l| l.id() == leg);
        debug_assert!(
            found.is_some(),
            "leg {leg:?} is not in the call that it was found by"
        );
        found
    }

    /// Its legs, in the order in which they came.
    pub(crate) fn legs(&self) -> impl Iterator<Item = &Leg> {
        self.legs.iter()
    }

    pub(crate) fn legs_mut(&mut self) -> impl Iterator<Item = &mut Leg> {
        self.legs.iter_mut()
    }

    /// Puts a leg into it.
    pub(crate) fn add_leg(&mut self, cx: &mut Context, leg: Leg) {
        cx.index.add_leg(self.id, &leg);
        self.legs.push(leg);
    }

    /// Those who take part, in the order in which they came; the caller first.
    pub(crate) fn members(&self) -> Vec<LegId> {
        let mut members: Vec<(bool, u32, LegId)> = self
            .legs
            .iter()
            .filter_map(|l| l.member().map(|m| (m.seat != Seat::Caller, m.order, l.id())))
            .collect();
        members.sort_unstable();
        members.into_iter().map(|(_, _, leg)| leg).collect()
    }

    /// The party whose call it is.
    pub(crate) fn caller(&self) -> Option<&Leg> {
        self.legs.iter().find(|l| l.is_caller())
    }

    pub(crate) fn caller_mut(&mut self) -> Option<&mut Leg> {
        self.legs.iter_mut().find(|l| l.is_caller())
    }

    pub(crate) fn is_caller(&self, leg: LegId) -> bool {
        self.leg(leg).is_some_and(Leg::is_caller)
    }

    /// The first of the others.
    pub(crate) fn callee(&self) -> Option<LegId> {
        let members = self.members();
        members.into_iter().find(|leg| !self.is_caller(*leg))
    }

    pub(crate) fn is_member(&self, leg: LegId) -> bool {
        self.leg(leg).is_some_and(Leg::is_member)
    }

    /// Puts a leg among those who take part.
    pub(crate) fn add_member(&mut self, leg: LegId) {
        self.came += 1;
        let order = self.came;
        if let Some(l) = self.leg_mut(leg) {
            let part = l.member().map_or(Part::Talks, |member| member.part);
            l.set_purpose(Purpose::Member(Membership {
                seat: Seat::Other,
                order,
                part,
            }));
        }
    }

    /// Takes a leg out of those who take part.
    pub(crate) fn remove_member(&mut self, leg: LegId) {
        if let Some(l) = self.leg_mut(leg) {
            l.set_purpose(Purpose::Leaving);
        }
    }

    /// Somebody is always the first, as long as anybody is in it.
    pub(crate) fn fill_caller(&mut self) {
        if self.caller().is_none()
            && let Some(first) = self.callee()
            && let Some(l) = self.leg_mut(first)
        {
            l.set_seat(Seat::Caller);
        }
    }

    /// The party that a digit of `leg` is for: the other one of the first two.
    pub(crate) fn counterpart(&self, leg: LegId) -> Option<LegId> {
        let caller = self.caller().map(Leg::id)?;
        match self.callee() {
            Some(callee) if caller == leg => Some(callee),
            Some(callee) if callee == leg => Some(caller),
            Some(_) => None,
            None if caller != leg => Some(caller),
            None => self.dialling.as_ref().and_then(Dialling::early),
        }
    }

    pub(crate) fn dialling(&self) -> Option<&Dialling> {
        self.dialling.as_ref()
    }

    pub(crate) fn dialling_mut(&mut self) -> Option<&mut Dialling> {
        self.dialling.as_mut()
    }

    pub(crate) fn set_dialling(&mut self, dialling: Option<Dialling>) {
        self.dialling = dialling;
    }

    /// Outcome of the last dial, if nobody was called since.
    pub(crate) fn failed(&self) -> Option<End> {
        self.failed
    }

    pub(crate) fn set_failed(&mut self, failed: Option<End>) {
        self.failed = failed;
    }

    /// Number or name that was called last: the one that was dialled, or that the call was forwarded to.
    pub(crate) fn called(&self) -> &str {
        self.forwarded.last().map_or(&self.to, |step| &step.to)
    }

    /// Fax that its caller offered at first, and nothing beside.
    pub(crate) fn fax(&self) -> Option<&Fax> {
        self.fax.as_ref()
    }

    pub(crate) fn set_fax(&mut self, fax: Option<Fax>) {
        self.fax = fax;
    }

    /// REFER outside of any call that asked for it.
    pub(crate) fn asked(&self) -> Option<&Asked> {
        self.asked.as_ref()
    }

    pub(crate) fn asked_mut(&mut self) -> Option<&mut Asked> {
        self.asked.as_mut()
    }

    pub(crate) fn set_asked(&mut self, asked: Asked) {
        self.asked = Some(asked);
    }

    /// Legs that ring because it is dialled.
    pub(crate) fn branches(&self) -> impl Iterator<Item = &Leg> {
        self.legs.iter().filter(|l| l.is_branch())
    }

    pub(crate) fn invitations(&self) -> &[Ringing] {
        &self.invitations
    }

    pub(crate) fn invitations_mut(&mut self) -> &mut Vec<Ringing> {
        &mut self.invitations
    }
}
