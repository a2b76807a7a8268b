//! Ending: a leg, a session, and the record of what there was.

use media_core::control::{Command, LegId};
use sans_io::Time;
use sip_core::endpoint::Reason;

use crate::SessionId;
use crate::coordinator::{Coordinator, Timer};
use crate::event::{CallRecord, Cause, Event, LegRecord};
use crate::leg::{Media, State};
use crate::session::Ending;
use crate::verb::dial::elsewhere;

impl Coordinator {
    /// Ends a session: each leg is refused, cancelled or told BYE, as fits. [`Event::Ended`] follows when all is gone.
    pub fn terminate_session(&mut self, now: Time, session: SessionId) {
        self.end_session(now, session, Cause::Local, 200);
    }

    /// `code` answers a caller that waits for one; for a call that was answered it is 200. A call that nobody answered was
    /// declined, or given up, when no code says more.
    pub(crate) fn end_session(&mut self, now: Time, session: SessionId, cause: Cause, code: u16) {
        let Some(s) = self.sessions.get_mut(&session).filter(|s| s.ending.is_none()) else {
            return;
        };
        let code = match s.answered {
            None if code < 300 && cause == Cause::Local && s.caller.is_some() => 603,
            None if code < 300 => 487,
            _ => code,
        };
        s.ending = Some(Ending { at: now, cause, code });
        s.dialling = None;
        let reason = s.elsewhere.then(elsewhere);
        let offers = std::mem::take(&mut s.offers);
        let legs = s.legs.clone();
        for offer in offers {
            self.transfers.remove(&offer.name);
        }
        for leg in &legs {
            self.refer_over(now, *leg, 487);
        }
        self.timers.cancel(Timer::Session(session));
        self.timers.cancel(Timer::Absent(session));
        for leg in legs {
            let lost = match cause {
                Cause::Lost => Some(super::silence::lost()),
                Cause::Away if !self.is_away(leg) => Some(connection_lost()),
                _ => None,
            };
            self.end_leg(now, leg, reason.clone().or(lost));
        }
        self.conclude(session);
    }

    /// Ends one leg, signalling and media.
    pub(crate) fn end_leg(&mut self, now: Time, leg: LegId, reason: Option<Reason>) {
        let Some(l) = self.legs.get_mut(&leg) else { return };
        let ending = self.sessions.get(&l.session).and_then(|s| s.ending);
        if l.state < State::Ending {
            let refuse = l
                .offer_pending()
                .then_some(ending.map_or(603, |e| e.code))
                .filter(|code| *code >= 300);
            match (l.usage, refuse) {
                (Some(usage), Some(code)) => {
                    l.state = State::Ending;
                    self.endpoint.reject(now, usage, code, Vec::new());
                }
                (Some(usage), None) => {
                    l.state = State::Ending;
                    self.endpoint.hangup(now, usage, reason, Vec::new());
                }
                (None, _) => l.state = State::Ended,
            }
        }
        self.close_media(leg);
    }

    pub(crate) fn close_media(&mut self, leg: LegId) {
        self.timers.cancel(Timer::Grace(leg));
        self.timers.cancel(Timer::Goodbye(leg));
        self.timers.cancel(Timer::Restore(leg));
        self.timers.cancel(Timer::Silence(leg));
        let Some(l) = self.legs.get_mut(&leg) else { return };
        l.pending.clear();
        if matches!(l.media, Media::Opening | Media::Open) {
            l.media = Media::Closing;
            self.command(leg, Command::Close { leg });
        }
    }

    /// The dialog of a leg is gone, by whomever.
    pub(crate) fn leg_ended(&mut self, now: Time, leg: LegId, cause: Option<(Cause, u16)>) {
        let Some(l) = self.legs.get_mut(&leg) else { return };
        let (session, was) = (l.session, l.state);
        l.state = State::Ended;
        l.usage = None;
        self.close_media(leg);
        if was < State::Ending
            && let Some((cause, code)) = cause
            && !self.member_left(session, leg, cause, code)
        {
            self.end_session(now, session, cause, code);
        }
        self.conclude(session);
    }

    /// Removes legs that are over, and the session with its last one.
    pub(crate) fn conclude(&mut self, session: SessionId) {
        let Some(s) = self.sessions.get_mut(&session) else {
            return;
        };
        let over: Vec<LegId> = s
            .legs
            .iter()
            .copied()
            .filter(|leg| self.legs.get(leg).is_none_or(|l| l.is_over()))
            .collect();
        for leg in over {
            s.legs.retain(|l| *l != leg);
            if let Some(l) = self.legs.remove(&leg) {
                self.shard_legs[usize::from(l.shard)] -= 1;
                if let Some(user) = &l.user
                    && let Some(legs) = self.user_legs.get_mut(user)
                {
                    legs.remove(&leg);
                    if legs.is_empty() {
                        self.user_legs.remove(user);
                    }
                }
                s.records.push(LegRecord {
                    leg,
                    party: l.party,
                    call_id: l.call_id,
                    answered: l.answered,
                    report: l.report,
                });
            }
        }
        let Some(ending) = s.ending.filter(|_| s.legs.is_empty()) else {
            return;
        };
        let Some(s) = self.sessions.remove(&session) else {
            return;
        };
        let record = CallRecord {
            session: s.id,
            source: s.source,
            from: s.from.user,
            to: s.to,
            began: s.began,
            answered: s.answered,
            ended: ending.at,
            cause: ending.cause,
            code: ending.code,
            fault: s
                .fault
                .filter(|_| matches!(ending.cause, Cause::Refused | Cause::Failed)),
            legs: s.records,
        };
        self.event(Event::Ended {
            session,
            record: Box::new(record),
        });
    }
}

/// Reason header (RFC 3326) of the BYE to a party whose call ends because the other party is gone without
/// having hung up.
fn connection_lost() -> Reason {
    Reason {
        protocol: "SIP".into(),
        cause: Some(480),
        text: Some("Connection of the other side lost".into()),
    }
}
