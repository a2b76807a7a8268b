use std::time::Duration;

use sans_io::Time;

use crate::dialog::{Duty, SessionTimer};
use crate::message::{Message, Refresher, StatusCode};

use super::client::Purpose;
use super::event::{Ended, Silence};
use super::ids::UsageId;
use super::outgoing::{Headers, Reason, SessionWish};
use super::usage::{Alarm, Proposed, State, Usage};
use super::wire::SessionLines;
use super::{Endpoint, TimerKey};

/// A refresh that failed for a passing reason is tried again after this.
const TRY_AGAIN: Duration = Duration::from_secs(5);
/// `Min-SE` is never below this (§5).
const LEAST_MIN_SE: u32 = 90;
/// No peer may make us refresh more often than twice in this.
const SHORTEST: Duration = Duration::from_secs(30);

impl Usage {
    /// `Session-Expires` of a request that refreshes: as agreed, the roles kept (RFC 4028 §7.4).
    pub(super) fn session_lines(&self) -> Option<SessionLines> {
        let session = self.session?;
        Some(SessionLines {
            expires: u32::try_from(session.interval.as_secs()).unwrap_or(u32::MAX),
            refresher: Some(match session.duty {
                Duty::Ours => "uac",
                Duty::Peers => "uas",
            }),
            min: self.min_se.max(LEAST_MIN_SE),
        })
    }
}

impl Endpoint {
    /// Asks for a session timer on this leg even if its peer does not. Call before the 2xx.
    pub fn want_session_timer(&mut self, usage: UsageId, wish: SessionWish) {
        let seconds = self.interval_to_ask(wish.interval);
        if let Some(state) = self.usages.get_mut(&usage) {
            state.wanted = Some(seconds);
            state.refresher = wish.refresher;
        }
    }

    /// Lines of an INVITE of ours that ask for a session timer.
    pub(super) fn session_asked(&self, wish: SessionWish) -> SessionLines {
        SessionLines {
            expires: self.interval_to_ask(wish.interval),
            refresher: wish.refresher.map(|duty| match duty {
                Duty::Ours => "uac",
                Duty::Peers => "uas",
            }),
            min: self.interval_to_ask(Duration::ZERO),
        }
    }

    /// Seconds to propose: never below our own `Min-SE`.
    pub(super) fn interval_to_ask(&self, interval: Duration) -> u32 {
        u32::try_from(interval.max(self.config.min_session).as_secs()).unwrap_or(u32::MAX)
    }

    /// Proposal of a request of the peer. `Err`: too short, with our minimum for a 422; only a peer that
    /// knows session timers understands that (§9).
    pub(super) fn session_proposed(
        &mut self,
        usage: Option<UsageId>,
        request: &Message,
    ) -> Result<Option<Proposed>, u32> {
        let mut knows_timer = request.supports("timer");
        if let Some(state) = usage.and_then(|usage| self.usages.get_mut(&usage)) {
            // Some clients leave `Supported` out of their refreshes.
            state.knows_timer |= knows_timer;
            knows_timer = state.knows_timer;
        }
        let Some(expires) = request.session_expires() else {
            return Ok(None);
        };
        let min = self.interval_to_ask(Duration::ZERO);
        if expires.seconds < min && knows_timer {
            return Err(min);
        }
        Ok(Some(Proposed {
            seconds: expires.seconds.max(min),
            refresher: expires.refresher.map(|refresher| match refresher {
                Refresher::Uac => Duty::Peers,
                Refresher::Uas => Duty::Ours,
            }),
        }))
    }

    /// Starts, restarts or stops the timer with a 2xx of ours: to the INVITE (`None`), or to a refresh of the
    /// peer. Returns the lines for that 2xx.
    pub(super) fn agree_as_server(
        &mut self,
        now: Time,
        usage: UsageId,
        refresh: Option<Option<Proposed>>,
    ) -> String {
        let Some(state) = self.usages.get(&usage) else {
            return String::new();
        };
        let wanted = state.wanted.map(|seconds| Proposed {
            seconds,
            refresher: Some(state.refresher.unwrap_or(Duty::Ours)),
        });
        let Some(proposed) = refresh.unwrap_or(state.proposed).or(wanted) else {
            self.stop_session(usage);
            return String::new();
        };
        let interval = Duration::from_secs(proposed.seconds.into());
        // §9, table 2. If a peer that knows session timers leaves it open, it refreshes: a client in a
        // browser tab should prove that it is there. For a peer that does not know them a proxy asked, and we refresh.
        let duty = proposed.refresher.or(state.refresher).unwrap_or(Duty::Peers);
        if state.knows_timer && duty == Duty::Peers {
            self.start_session(usage, SessionTimer::new(now, interval, Duty::Peers));
            // §9: the peer must know that the session has an end.
            return format!(
                "Session-Expires: {};refresher=uac\r\nRequire: timer\r\n",
                proposed.seconds
            );
        }
        let session = match state.knows_timer {
            true => SessionTimer::new(now, interval, Duty::Ours),
            false => SessionTimer::alone(now, interval),
        };
        self.start_session(usage, session);
        format!("Session-Expires: {};refresher=uas\r\n", proposed.seconds)
    }

    /// Starts, restarts or stops the timer with a 2xx of the peer (§7.2): one that takes no part leaves the refreshes to us.
    pub(super) fn agree_as_client(&mut self, now: Time, usage: UsageId, response: &Message) {
        let Some(state) = self.usages.get_mut(&usage) else {
            return;
        };
        // If the peer names no interval, it is the one that we asked for.
        let asked = state.session.map(|session| session.interval.as_secs());
        let wanted = state
            .wanted
            .map(|seconds| asked.unwrap_or(seconds.into()).max(state.min_se.into()));
        match (response.session_expires(), wanted) {
            (Some(expires), _) => {
                state.knows_timer = true;
                let duty = if expires.refresher == Some(Refresher::Uas) {
                    Duty::Peers
                } else {
                    Duty::Ours
                };
                let interval = Duration::from_secs(expires.seconds.into()).max(SHORTEST);
                self.start_session(usage, SessionTimer::new(now, interval, duty));
            }
            (None, Some(seconds)) => {
                let interval = Duration::from_secs(seconds);
                self.start_session(usage, SessionTimer::alone(now, interval));
            }
            (None, None) => self.stop_session(usage),
        }
    }

    fn start_session(&mut self, usage: UsageId, session: SessionTimer) {
        let Some(state) = self.usages.get_mut(&usage).filter(|state| !state.is_over()) else {
            return;
        };
        state.session = Some(session);
        state.refreshing = false;
        self.arm(TimerKey::Usage(usage, Alarm::Session), session.deadline());
    }

    fn stop_session(&mut self, usage: UsageId) {
        if let Some(state) = self.usages.get_mut(&usage) {
            state.session = None;
            state.refreshing = false;
        }
        self.timers.cancel(TimerKey::Usage(usage, Alarm::Session));
    }

    /// Time to refresh, or to give up.
    pub(super) fn session_due(&mut self, now: Time, usage: UsageId) {
        let Some(state) = self.usages.get(&usage) else {
            return;
        };
        let Some(session) = state.session else { return };
        if now >= session.end() {
            let reason = Reason {
                protocol: "SIP".into(),
                cause: Some(StatusCode::REQUEST_TIMEOUT.get()),
                text: Some("Session expired".into()),
            };
            let lines = reason.line();
            if state.state == State::Confirmed {
                self.say_bye(now, usage, &lines);
            } else if let Some(state) = self.usages.get_mut(&usage) {
                state.bye = Some(lines); // the ACK to our 2xx is still to come
            }
            return self.end(usage, Ended::SessionExpired);
        }
        // The next look at it comes even if the refresh gets no answer.
        let next = (now + TRY_AGAIN).min(session.end());
        self.timers
            .set(TimerKey::Usage(usage, Alarm::Session), next, "session refresh");
        if state.state != State::Confirmed
            || state.refreshing
            || state.is_changing()
            || session.duty == Duty::Peers
        {
            return;
        }
        self.refresh(now, usage);
    }

    /// Refreshes by UPDATE where the peer takes it, which touches no media, else by a re-INVITE with the description
    /// that is in force.
    fn refresh(&mut self, now: Time, usage: UsageId) {
        let Some(state) = self.usages.get_mut(&usage) else {
            return;
        };
        state.refreshing = true;
        if state.takes_update {
            let more = self.about.lines(&Headers::new(), true);
            return self.send_in_dialog(now, usage, 0, None, more, Purpose::Update);
        }
        let body = state.local_sdp.clone();
        let more = self.about.lines(&Headers::new(), true);
        self.send_in_dialog(now, usage, 0, body, more, Purpose::Reinvite { refresh: true });
    }

    /// Looks at the refresh again after `wait`.
    pub(super) fn refresh_in(&mut self, now: Time, usage: UsageId, wait: Duration) {
        let Some(state) = self.usages.get_mut(&usage) else {
            return;
        };
        state.refreshing = false;
        if let Some(session) = state.session {
            let at = (now + wait).min(session.end());
            self.timers
                .set(TimerKey::Usage(usage, Alarm::Session), at, "session refresh");
        }
    }

    /// A final response to our refreshing UPDATE.
    pub(super) fn update_answered(
        &mut self,
        now: Time,
        usage: Option<UsageId>,
        code: StatusCode,
        response: &Message,
    ) {
        let Some((usage, state)) = usage.and_then(|id| Some((id, self.usages.get_mut(&id)?))) else {
            return;
        };
        if state.is_over() {
            return;
        }
        if code.is_success() {
            if let Some(dialog) = state.dialogs.first_mut() {
                dialog.refresh_target(response);
                state.info.remote_target.clone_from(&dialog.remote_target);
            }
            return self.agree_as_client(now, usage, response);
        }
        match code {
            StatusCode::REQUEST_TIMEOUT | StatusCode::CALL_DOES_NOT_EXIST => self.peer_lost(now, usage),
            _ => self.refresh_refused(now, usage, code),
        }
    }

    /// A refresh was refused, but the dialog stands.
    pub(super) fn refresh_refused(&mut self, now: Time, usage: UsageId, code: StatusCode) {
        let Some(state) = self.usages.get_mut(&usage) else {
            return;
        };
        if matches!(code, StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED) && state.takes_update
        {
            state.takes_update = false; // it said otherwise, but re-INVITE remains
            return self.refresh_in(now, usage, Duration::ZERO);
        }
        if let Some(session) = state.session.filter(|session| session.alone) {
            // Its peer agreed to no end of the session; any answer is the sign of life that we wanted.
            return self.start_session(usage, SessionTimer::alone(now, session.interval));
        }
        self.refresh_in(now, usage, TRY_AGAIN);
    }

    /// A refresh did not leave: the connection closed, or nobody listens at the other end.
    pub(super) fn refresh_not_sent(&mut self, now: Time, usage: UsageId) {
        self.refresh_in(now, usage, TRY_AGAIN);
    }

    /// No response to our refreshing UPDATE.
    pub(super) fn refresh_failed(&mut self, now: Time, usage: Option<UsageId>, silence: Silence) {
        let Some(usage) = usage else { return };
        match silence {
            Silence::Timeout => self.peer_lost(now, usage),
            Silence::Transport | Silence::Nowhere => self.refresh_not_sent(now, usage),
        }
    }

    /// Interval to ask for after a 422 (§7.4): the one that the peer names, if that is longer than the
    /// previous one.
    pub(super) fn longer_session(&mut self, client: u64, response: &Message) -> Option<SessionLines> {
        let tx = self.clients.get(&client)?;
        let (asked, min) = (tx.draft.session?, response.min_se()?);
        if min <= asked.min && min <= asked.expires {
            return None;
        }
        if let Some(state) = tx.usage.and_then(|usage| self.usages.get_mut(&usage)) {
            state.min_se = min;
            state.wanted = state.wanted.map(|seconds| seconds.max(min));
        }
        Some(SessionLines {
            expires: asked.expires.max(min),
            min,
            ..asked
        })
    }
}
