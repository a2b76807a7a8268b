//! Call handling of a user: forwarding and do not disturb, and the limits on forwarding from one to the next.

use std::time::Duration;

/// Most times that a call may be forwarded, on its way to us or here.
pub const MOST_FORWARDINGS: usize = 5;

/// Time that a user's phones ring by default before a call that is not answered is forwarded.
pub const NO_ANSWER_AFTER: Duration = Duration::from_secs(20);

/// Settings of a user for calls to the user. Each number is one of the dial plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallHandling {
    /// Number that all calls go to; no phone of the user rings.
    pub always: Option<String>,
    /// Number that calls go to while the user is busy, declines or does not want to be disturbed.
    pub busy: Option<String>,
    /// Number that calls go to which the user does not answer in time.
    pub no_answer: Option<String>,
    /// Time that the user's phones ring until then.
    pub no_answer_after: Duration,
    /// Number that calls go to while no phone of the user can be reached.
    pub unreachable: Option<String>,
    /// True if no phone of the user is to ring.
    pub do_not_disturb: bool,
}

impl Default for CallHandling {
    fn default() -> CallHandling {
        CallHandling {
            always: None,
            busy: None,
            no_answer: None,
            no_answer_after: NO_ANSWER_AFTER,
            unreachable: None,
            do_not_disturb: false,
        }
    }
}

/// Reason for which a call is forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forwarded {
    /// All calls are.
    Always,
    /// The user is busy, or declined.
    Busy,
    /// The user did not answer in time.
    NoAnswer,
    /// No phone of the user could be reached.
    Unreachable,
    /// The user does not want to be disturbed.
    DoNotDisturb,
}

/// Treatment of a call that comes to a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment<'a> {
    /// The user's phones ring; for so long if a time is given.
    Ring(Option<Duration>),
    /// The call goes to this number at once.
    Forward(&'a str, Forwarded),
    /// The user does not want it.
    Refuse,
}

/// Outcome of ringing at a user's phones in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InVain {
    /// The user is busy, or declined.
    Busy,
    /// Nobody answered.
    NoAnswer,
    /// No phone could be reached.
    Unreachable,
}

impl InVain {
    /// Outcome that the best final response to the INVITEs means, and whether any phone `rang`. A phone that refuses with 480 or 408 after
    /// it rang was not answered: browsers' SIP libraries say 480 for "declined".
    #[must_use]
    pub const fn of(code: u16, rang: bool) -> InVain {
        match (code, rang) {
            (486 | 600 | 603, _) => InVain::Busy,
            (408 | 480 | 487, true) => InVain::NoAnswer,
            _ => InVain::Unreachable,
        }
    }
}

impl CallHandling {
    /// Treatment of a call now. A number for all calls comes before everything else.
    #[must_use]
    pub fn treatment(&self) -> Treatment<'_> {
        match (&self.always, &self.busy) {
            (Some(number), _) => Treatment::Forward(number, Forwarded::Always),
            (None, Some(number)) if self.do_not_disturb => {
                Treatment::Forward(number, Forwarded::DoNotDisturb)
            }
            (None, None) if self.do_not_disturb => Treatment::Refuse,
            _ => Treatment::Ring(self.no_answer.as_ref().map(|_| self.no_answer_after)),
        }
    }

    /// Number that a call goes to after the user's phones were called in vain.
    #[must_use]
    pub fn after(&self, outcome: InVain) -> Option<(&str, Forwarded)> {
        let (number, reason) = match outcome {
            InVain::Busy => (&self.busy, Forwarded::Busy),
            InVain::NoAnswer => (&self.no_answer, Forwarded::NoAnswer),
            InVain::Unreachable => (&self.unreachable, Forwarded::Unreachable),
        };
        number.as_deref().map(|number| (number, reason))
    }

    /// True if a call may go elsewhere after the user's phones were called in vain.
    #[must_use]
    pub const fn forwards_later(&self) -> bool {
        self.busy.is_some() || self.no_answer.is_some() || self.unreachable.is_some()
    }

    /// True if no phone of the user is to ring now.
    #[must_use]
    pub fn spares(&self) -> bool {
        !matches!(self.treatment(), Treatment::Ring(_))
    }
}

/// Way of a call from one forwarding user to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// Users whom the call came to here.
    users: Vec<String>,
    /// Number of times that it was forwarded, before it came to us too.
    forwarded: usize,
}

/// Reason why a call is not forwarded any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// Circle: the call came to this user before.
    Loop,
    /// Chain of [`MOST_FORWARDINGS`] forwardings, which is as long as it may be.
    TooLong,
}

impl Chain {
    /// A call that others forwarded so many times before it came to us.
    #[must_use]
    pub fn after(forwarded: usize) -> Chain {
        Chain {
            users: Vec::new(),
            forwarded,
        }
    }

    /// The call comes to a user.
    ///
    /// # Errors
    /// [`Broken::Loop`].
    pub fn reach(&mut self, user: &str) -> Result<(), Broken> {
        if self.users.iter().any(|known| known == user) {
            return Err(Broken::Loop);
        }
        self.users.push(user.to_owned());
        Ok(())
    }

    /// The call is forwarded once more.
    ///
    /// # Errors
    /// [`Broken::TooLong`].
    pub fn forward(&mut self) -> Result<(), Broken> {
        if self.forwarded >= MOST_FORWARDINGS {
            return Err(Broken::TooLong);
        }
        self.forwarded += 1;
        Ok(())
    }

    /// The user whom the call came to last.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.users.last().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(number: &str) -> Option<String> {
        Some(number.to_owned())
    }

    #[test]
    fn all_calls_go_elsewhere_before_anything_else_counts() {
        let mut handling = CallHandling::default();
        assert_eq!(handling.treatment(), Treatment::Ring(None));
        handling.no_answer = to("3");
        assert_eq!(handling.treatment(), Treatment::Ring(Some(NO_ANSWER_AFTER)));
        handling.do_not_disturb = true;
        assert_eq!(handling.treatment(), Treatment::Refuse);
        handling.busy = to("2");
        assert_eq!(
            handling.treatment(),
            Treatment::Forward("2", Forwarded::DoNotDisturb)
        );
        handling.always = to("1");
        assert_eq!(handling.treatment(), Treatment::Forward("1", Forwarded::Always));
        assert!(handling.spares());
    }

    #[test]
    fn responses_mean_busy_no_answer_or_unreachable() {
        for (code, rang, outcome) in [
            (486, false, InVain::Busy),
            (600, true, InVain::Busy),
            (603, true, InVain::Busy),
            (480, true, InVain::NoAnswer),
            (408, true, InVain::NoAnswer),
            (480, false, InVain::Unreachable),
            (408, false, InVain::Unreachable),
            (503, true, InVain::Unreachable),
            (404, false, InVain::Unreachable),
        ] {
            assert_eq!(InVain::of(code, rang), outcome, "{code} {rang}");
        }
        let handling = CallHandling {
            unreachable: to("4"),
            ..CallHandling::default()
        };
        assert!(handling.forwards_later());
        assert_eq!(
            handling.after(InVain::Unreachable),
            Some(("4", Forwarded::Unreachable))
        );
        assert_eq!(handling.after(InVain::Busy), None);
    }

    #[test]
    fn a_chain_ends_where_it_was_before_and_after_five_steps() {
        let mut chain = Chain::default();
        assert_eq!(chain.reach("a"), Ok(()));
        assert_eq!(chain.forward(), Ok(()));
        assert_eq!(chain.reach("b"), Ok(()));
        assert_eq!(chain.user(), Some("b"));
        assert_eq!(chain.reach("a"), Err(Broken::Loop));
        let mut chain = Chain::after(3);
        assert_eq!(chain.forward(), Ok(()));
        assert_eq!(chain.forward(), Ok(()));
        assert_eq!(chain.forward(), Err(Broken::TooLong));
    }
}
