//! Rules about which calls are recorded.

use sans_io::Rng;

/// Share of calls that is recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Share {
    /// All of them.
    All,
    /// So many of a hundred, drawn by lot; the others on demand.
    Percent(u8),
    /// Those of which somebody asks for it.
    #[default]
    OnDemand,
    /// None, whoever asks.
    Never,
}

/// A rule: a call fits that has all that is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// Name of the queue that it came through.
    pub queue: Option<String>,
    /// Name of a user in it.
    pub user: Option<String>,
    /// Name of the trunk on its far side.
    pub trunk: Option<String>,
    /// Beginning of the number that was dialled.
    pub dialled: Option<String>,
    /// Share of such calls that is recorded.
    pub record: Share,
}

/// Facts about a call that rules ask for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Facts<'a> {
    pub(crate) queue: Option<&'a str>,
    pub(crate) users: &'a [String],
    pub(crate) trunk: Option<&'a str>,
    pub(crate) dialled: &'a str,
}

impl Rule {
    fn fits(&self, call: &Facts<'_>) -> bool {
        let is = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| found == Some(wanted))
        };
        is(&self.queue, call.queue)
            && is(&self.trunk, call.trunk)
            && self.user.as_ref().is_none_or(|user| call.users.contains(user))
            && self
                .dialled
                .as_deref()
                .is_none_or(|prefix| call.dialled.starts_with(prefix))
    }
}

/// The share of calls like this one that is recorded: on demand, where no rule fits.
pub(crate) fn decide(rules: &[Rule], call: &Facts<'_>) -> Share {
    let rule = rules.iter().find(|rule| rule.fits(call));
    rule.map_or(Share::OnDemand, |rule| rule.record)
}

impl Share {
    /// Draws whether one call is recorded from its beginning.
    pub(crate) fn draw(self, rng: &mut Rng) -> bool {
        match self {
            Share::All => true,
            Share::Percent(percent) => rng.percent(u64::from(percent)),
            Share::OnDemand | Share::Never => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_fits_decides() {
        let name = |name: &str| Some(name.to_owned());
        let rules = [
            Rule {
                user: name("boss"),
                record: Share::Never,
                ..Rule::default()
            },
            Rule {
                queue: name("support"),
                trunk: name("carrier"),
                record: Share::Percent(20),
                ..Rule::default()
            },
            Rule {
                dialled: name("+49"),
                record: Share::All,
                ..Rule::default()
            },
        ];
        let users = ["ann".to_owned(), "boss".to_owned()];
        let call = |queue, users, trunk, dialled| Facts {
            queue,
            users,
            trunk,
            dialled,
        };
        let some = &users[..1];
        for (facts, share) in [
            (call(Some("support"), &users, Some("carrier"), "1"), Share::Never),
            (
                call(Some("support"), some, Some("carrier"), "1"),
                Share::Percent(20),
            ),
            (call(Some("support"), some, None, "1"), Share::OnDemand),
            (call(Some("sales"), some, Some("carrier"), "+4930"), Share::All),
            (call(None, some, None, "4930"), Share::OnDemand),
        ] {
            assert_eq!(decide(&rules, &facts), share, "{facts:?}");
        }
    }

    #[test]
    fn a_percentage_is_drawn_by_lot() {
        let mut rng = Rng::seeded(5);
        let drawn = (0..10_000).filter(|_| Share::Percent(20).draw(&mut rng)).count();
        assert!((1_800..2_200).contains(&drawn), "{drawn}");
        assert!(Share::All.draw(&mut rng) && !Share::OnDemand.draw(&mut rng));
    }
}
