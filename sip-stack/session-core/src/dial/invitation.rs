//! Invitations: parties called for a caller who waits. None of them hears the caller before the application says so.

use std::time::Duration;

use media_core::control::LegId;
use sans_io::Time;
use sip_core::message::StatusCode;

use super::branch::{Branch, Ring, With, declined, elsewhere};
use super::{Caller, Party, better, is_for_all_phones};
use crate::call::Call;
use crate::context::Context;
use crate::event::Event;
use crate::identity::Diversion;
use crate::leg::Leg;

/// Settings for calling somebody for a waiting caller.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// Party to call. All contacts of a user ring; the first to answer has the call.
    pub party: Party,
    /// Caller as shown; `None`: the one who called us.
    pub caller: Option<Caller>,
    /// Time that it may ring without a provisional response between.
    pub ring_timeout: Duration,
    /// Headers of the INVITE: names and values without CR, LF and NUL.
    pub headers: Vec<(String, String)>,
    /// Diversions that lead to the party, the first one first.
    pub diverted: Vec<Diversion>,
}

/// An invitation that rings. Its first branch names it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ringing {
    name: LegId,
    /// Best final response so far.
    best: Option<StatusCode>,
    owner: Owner,
}

/// Whoever started an invitation, and gets its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Application,
    /// The transfer that this leg's peer asked for.
    Transfer(LegId),
}

impl Ringing {
    /// Rings to replace somebody.
    pub(crate) fn is_for_transfer(&self) -> bool {
        matches!(self.owner, Owner::Transfer(_))
    }

    /// Rings to replace that leg.
    pub(crate) fn is_for_transfer_by(&self, leg: LegId) -> bool {
        self.owner == Owner::Transfer(leg)
    }

    pub(crate) fn owner(&self) -> Owner {
        self.owner
    }
}

impl Call {
    /// Calls a party. Several invitations may ring at a time, each by itself.
    ///
    /// # Errors
    /// The SIP code that says why the party cannot be called: 404 unknown user or trunk, 480 not registered, 481 no such call,
    /// 400 a header that cannot be written, 503 no channel free at a trunk or too many calls.
    pub(crate) fn invite(
        &mut self,
        cx: &mut Context,
        now: Time,
        invitation: Invitation,
        owner: Owner,
    ) -> Result<LegId, StatusCode> {
        if self.is_ending() {
            return Err(StatusCode::CALL_DOES_NOT_EXIST);
        }
        let caller = invitation.caller.unwrap_or_else(|| self.from().clone());
        let is_clean = |text: &str| !text.contains(['\r', '\n', '\0']);
        let mut headers = invitation.headers.iter();
        if !headers.all(|(name, value)| is_clean(name) && is_clean(value)) {
            return Err(StatusCode::BAD_REQUEST);
        }
        let mut legs = Vec::new();
        let with = self.talks_with(owner);
        let branches = Branch::all_of(cx, now, &invitation.party).map_err(|refusal| refusal.code)?;
        for branch in branches {
            let ring = Ring {
                timeout: invitation.ring_timeout,
                headers: invitation.headers.clone(),
                diverted: invitation.diverted.clone(),
                with,
            };
            legs.push(self.start_branch(cx, now, branch, &caller, ring));
        }
        let name = legs.first().copied().ok_or(StatusCode::TEMPORARILY_UNAVAILABLE)?;
        for l in self.legs_mut().filter(|l| legs.contains(&l.id())) {
            l.invite_for(name);
        }
        self.invitations_mut().push(Ringing {
            name,
            best: None,
            owner,
        });
        Ok(name)
    }

    /// Party that the target of a transfer will talk with, if it is one; whoever else is invited hears an application, or several.
    fn talks_with(&self, owner: Owner) -> With {
        let Owner::Transfer(by) = owner else {
            return With::Any;
        };
        let others: Vec<_> = self.members().into_iter().filter(|leg| *leg != by).collect();
        match others[..] {
            [other] => With::Leg(other),
            _ => With::Any,
        }
    }

    /// The invitation of that name, if it rings.
    pub(crate) fn invitation(&self, name: LegId) -> Option<&Ringing> {
        self.invitations()
            .iter()
            .find(|invitation| invitation.name == name)
    }

    /// True if that invitation rings here, or a leg of it answered.
    pub(crate) fn has_invitation(&self, name: LegId) -> bool {
        self.invitation(name).is_some()
            || self
                .legs()
                .any(|l| l.invitation() == Some(name) || l.id() == name)
    }

    fn take_invitation(&mut self, name: LegId) -> Option<Ringing> {
        let at = self
            .invitations()
            .iter()
            .position(|invitation| invitation.name == name)?;
        Some(self.invitations_mut().remove(at))
    }

    /// Takes an invitation back: its phones stop ringing. `completed_elsewhere` tells them why (RFC 3326), so that none shows a
    /// missed call. A leg that answered it, admitted or not, is hung up. False if it is not of this call.
    pub(crate) fn withdraw(
        &mut self,
        cx: &mut Context,
        now: Time,
        name: LegId,
        completed_elsewhere: bool,
    ) -> bool {
        let reason = || completed_elsewhere.then(elsewhere);
        if let Some(invitation) = self.take_invitation(name) {
            for branch in self.ringing_for(name) {
                self.remove_member(branch);
                self.end_leg(cx, now, branch, reason());
            }
            if let Owner::Transfer(by) = invitation.owner {
                self.transfer_failed(cx, now, by, StatusCode::REQUEST_TERMINATED);
            }
            return true;
        }
        // Not the branch that names the invitation may have answered it.
        let answered = self.legs().find(|l| l.invitation() == Some(name) && l.is_up());
        match answered.map(Leg::id) {
            Some(leg) => self.drop_leg(cx, now, leg, reason()),
            None if self.leg(name).is_some() => self.drop_leg(cx, now, name, reason()),
            None => return false,
        }
        true
    }

    /// Legs that ring for an invitation.
    fn ringing_for(&self, name: LegId) -> Vec<LegId> {
        let ringing = self.legs().filter(|l| l.is_invited_for(name));
        ringing.map(Leg::id).collect()
    }

    pub(super) fn invitation_rings(
        &mut self,
        cx: &mut Context,
        now: Time,
        leg: LegId,
        name: LegId,
        code: StatusCode,
    ) {
        let session = self.id();
        match self.invitation(name).map(Ringing::owner) {
            Some(Owner::Transfer(by)) => self.transfer_rings(cx, now, leg, by, code),
            Some(Owner::Application) => cx.event(Event::InvitationRings {
                session,
                invitation: name,
                code,
            }),
            None => debug_assert!(false, "a leg rings for an invitation that is there"),
        }
    }

    pub(super) fn invitation_won(&mut self, cx: &mut Context, now: Time, name: LegId, leg: LegId) {
        let invitation = self.take_invitation(name);
        for loser in self.ringing_for(name).into_iter().filter(|branch| *branch != leg) {
            self.remove_member(loser);
            self.end_leg(cx, now, loser, Some(elsewhere()));
        }
        match invitation.map(|invitation| invitation.owner) {
            Some(Owner::Transfer(by)) => self.transfer_answered(cx, now, by, leg),
            Some(Owner::Application) => cx.event(Event::InvitationAnswered {
                session: self.id(),
                invitation: name,
                leg,
            }),
            None => debug_assert!(false, "a leg answers an invitation that is there"),
        }
    }

    pub(super) fn invitation_branch_failed(
        &mut self,
        cx: &mut Context,
        now: Time,
        branch: LegId,
        name: LegId,
        code: StatusCode,
    ) {
        self.remove_member(branch);
        let mut others = self.ringing_for(name);
        let for_all = is_for_all_phones(code);
        let found = self.invitations_mut().iter_mut().find(|other| other.name == name);
        if let Some(invitation) = found {
            invitation.best = Some(better(invitation.best, code));
        }
        let over = others.is_empty() || for_all;
        let over = over.then(|| self.take_invitation(name)).flatten();
        others.retain(|_| for_all);
        for other in others {
            self.remove_member(other);
            self.end_leg(cx, now, other, Some(declined(code)));
        }
        match over.map(|invitation| (invitation.owner, invitation.best.unwrap_or(code))) {
            None => {}
            Some((Owner::Transfer(by), code)) => self.transfer_failed(cx, now, by, code),
            Some((Owner::Application, code)) => cx.event(Event::InvitationEnded {
                session: self.id(),
                invitation: name,
                code,
            }),
        }
    }
}
