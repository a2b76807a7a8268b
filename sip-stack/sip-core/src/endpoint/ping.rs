use crate::message::StatusCode;
use std::time::Duration;

use sans_io::Time;

use super::client::Purpose;
use super::event::Event;
use super::ids::UsageId;
use super::usage::{Alarm, State};
use super::{Endpoint, TimerKey};

impl Endpoint {
    /// Asks the peer of a confirmed dialog for a sign of life, by OPTIONS. Ends in one `Event::Pinged` after
    /// `patience` at the latest, unless the leg ends before. False if the peer cannot be asked now, or is
    /// being asked already.
    pub fn ping(&mut self, now: Time, usage: UsageId, patience: Duration) -> bool {
        let Some(state) = self
            .usages
            .get_mut(&usage)
            .filter(|state| state.state == State::Confirmed && !state.pinging)
        else {
            return false;
        };
        state.pinging = true;
        self.timers.set(
            TimerKey::Usage(usage, Alarm::Ping),
            now + patience,
            "answer to a ping",
        );
        let mut more = self.about.accept.clone();
        more.push_str(&self.about.user_agent);
        self.send_in_dialog(now, usage, 0, None, more, Purpose::Ping);
        true
    }

    /// The final response to a ping. 404, 408 and 481 mean that nobody is there, any other that somebody is.
    pub(super) fn ping_answered(&mut self, usage: UsageId, code: StatusCode) {
        self.pinged(
            usage,
            !matches!(
                code,
                StatusCode::NOT_FOUND | StatusCode::REQUEST_TIMEOUT | StatusCode::CALL_DOES_NOT_EXIST
            ),
        );
    }

    /// A ping is over, if one was under way.
    pub(super) fn pinged(&mut self, usage: UsageId, alive: bool) {
        let Some(state) = self.usages.get_mut(&usage) else {
            return;
        };
        if std::mem::take(&mut state.pinging) && !state.is_over() {
            self.timers.cancel(TimerKey::Usage(usage, Alarm::Ping));
            self.event(Event::Pinged { usage, alive });
        }
    }
}
