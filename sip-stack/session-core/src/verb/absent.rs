//! Users whose connection closes while their phone rings: a page that is loaded again, a network that
//! changes. The caller hears ringing until the user is back, or has been away for too long.

use media_core::control::LegId;
use sans_io::Time;
use sip_core::endpoint::Ended;

use super::dial::Party;
use crate::SessionId;
use crate::coordinator::{Coordinator, Timer};
use crate::session::better;

impl Coordinator {
    /// Handles the end of a ringing branch whose call goes on elsewhere: at the target of a 3xx, or at the
    /// next connection of its user. True if the branch is done with; otherwise, and for a 3xx to other
    /// networks, it has failed like any other.
    pub(crate) fn rings_elsewhere(&mut self, now: Time, leg: LegId, cause: &Ended) -> bool {
        match cause {
            Ended::Rejected {
                code: 300..400,
                headers,
                ..
            } => {
                self.redirected(leg, headers);
                // RFC 3261 §21.3.4 and §21.3.5: the other statuses name no place to call.
                matches!(headers.status(), Some(300..=302)) && self.diverted(now, leg, headers)
            }
            Ended::Transport => self.lost_while_ringing(now, leg),
            _ => false,
        }
    }

    fn lost_while_ringing(&mut self, now: Time, leg: LegId) -> bool {
        let Some(l) = self.legs.get(&leg) else {
            return false;
        };
        let (session, Some(user), Some(flow)) = (l.session, l.user.clone(), l.flow) else {
            return false;
        };
        let grace = self.config.grace;
        let dials = self.sessions.get(&session).is_some_and(|s| s.dialling.is_some());
        if !flow.transport.is_reliable() || grace.is_zero() || !dials {
            return false;
        }
        self.leg_ended(now, leg, None);
        if let Some(dialling) = self.sessions.get_mut(&session).and_then(|s| s.dialling.as_mut()) {
            dialling.remove(leg);
            if !dialling.absent.contains(&user) {
                dialling.absent.push(user.clone());
            }
        }
        self.timers
            .set(Timer::Absent(session), now + grace, "grace of one who is called");
        // The page may have come back before its old connection was seen to close.
        self.ring_at_new_contacts(session, &user);
        self.wire(session);
        true
    }

    /// A user registered: callers who lost the user's phone meanwhile have it ring again.
    pub(crate) fn ring_again(&mut self, user: &str) {
        let waiting: Vec<SessionId> = self
            .sessions
            .values()
            .filter(|s| {
                s.dialling
                    .as_ref()
                    .is_some_and(|d| d.absent.iter().any(|absent| absent == user))
            })
            .map(|s| s.id)
            .collect();
        for session in waiting {
            self.ring_at_new_contacts(session, user);
        }
    }

    fn ring_at_new_contacts(&mut self, session: SessionId, user: &str) {
        let Some(dialling) = self.sessions.get(&session).and_then(|s| s.dialling.as_ref()) else {
            return;
        };
        let (ring, caller) = (dialling.ring_timeout, dialling.caller.clone());
        let ringing = dialling
            .branches
            .iter()
            .filter_map(|branch| self.legs.get(branch)?.flow);
        let known: Vec<_> = ringing.chain(dialling.failed.iter().copied()).collect();
        let mut found = self.branches(&Party::User(user.to_owned())).unwrap_or_default();
        found.retain(|branch| branch.flow.is_some_and(|flow| !known.contains(&flow)));
        let mut legs = Vec::new();
        for branch in found {
            legs.push(self.start_branch(session, branch, &caller, ring, Vec::new()));
        }
        if let Some(dialling) = self.sessions.get_mut(&session).and_then(|s| s.dialling.as_mut())
            && !legs.is_empty()
        {
            dialling.absent.retain(|absent| absent != user);
            dialling.branches.extend(legs);
        }
    }

    /// The user who lost the connection while ringing did not come back.
    pub(crate) fn absent_over(&mut self, now: Time, session: SessionId) {
        if let Some(dialling) = self.sessions.get_mut(&session).and_then(|s| s.dialling.as_mut())
            && !dialling.absent.is_empty()
        {
            dialling.absent.clear();
            dialling.best = better(dialling.best, 480);
            self.dial_settled(now, session);
        }
    }
}
