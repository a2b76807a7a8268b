//! The ordered dial plan: the first rule that matches decides.

use std::collections::BTreeSet;

use crate::Pattern;

/// What the plan knows of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRequest {
    /// Where it came from.
    pub origin: Origin,
    /// What was dialled: digits, or a name.
    pub number: String,
}

/// Where a call came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A user of ours, by name.
    User(String),
    /// A trunk, by name.
    Trunk(String),
    /// Somebody we do not know.
    Anonymous,
}

/// Who is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// All contacts of a user.
    User {
        /// The user.
        name: String,
    },
    /// A number at a trunk.
    Trunk {
        /// The trunk.
        name: String,
        /// The number as the trunk wants it.
        number: String,
    },
    /// An application answers.
    Application(Application),
    /// The built-in phone.
    DemoPhone {
        /// What was dialled.
        number: String,
    },
    /// Nobody.
    Reject {
        /// SIP code, 400 to 699.
        code: u16,
    },
}

impl Decision {
    /// One word for logs, without anything personal.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Decision::User { .. } => "user",
            Decision::Trunk { .. } => "trunk",
            Decision::Application(_) => "application",
            Decision::DemoPhone { .. } => "demo phone",
            Decision::Reject { .. } => "reject",
        }
    }
}

/// What answers a call by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Application {
    /// Plays back what it hears.
    Echo,
    /// The bundled tune.
    Music,
    /// A 1004 Hz tone at -10 dBm0.
    Tone,
}

/// One line of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What it matches.
    pub pattern: Pattern,
    /// Of calls from this trunk only.
    pub from_trunk: Option<String>,
    /// What becomes of the number first: `$1` to `$9` and `$0` (all of it) are put in. `None`: stays as dialled.
    pub rewrite: Option<String>,
    /// What is done then.
    pub action: Action,
}

/// What a rule does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Calls the user of this name, or the user that the number names; 404 when nobody is called that.
    User(Option<String>),
    /// Calls the number at a trunk.
    Trunk(String),
    /// Answers by itself.
    Application(Application),
    /// Calls the built-in phone.
    DemoPhone,
    /// Refuses.
    Reject(u16),
}

/// Rules in order, and the users they may name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DialPlan {
    rules: Vec<Rule>,
    users: BTreeSet<String>,
}

impl DialPlan {
    /// A plan over the users of the directory.
    #[must_use]
    pub fn new(rules: Vec<Rule>, users: impl IntoIterator<Item = String>) -> DialPlan {
        DialPlan { rules, users: users.into_iter().collect() }
    }

    /// The first rule that matches decides; without one, a user of that name is called, else nobody (404). A caller from a
    /// trunk never reaches another trunk unless a rule for that trunk says so: nobody calls out on our account.
    #[must_use]
    pub fn decide(&self, call: &CallRequest) -> Decision {
        for rule in &self.rules {
            let applies = match (&rule.from_trunk, &call.origin) {
                (Some(wanted), Origin::Trunk(name)) => wanted == name,
                (Some(_), _) => false,
                (None, Origin::Trunk(_) | Origin::Anonymous) => !matches!(rule.action, Action::Trunk(_)),
                (None, Origin::User(_)) => true,
            };
            let Some(caught) = rule.pattern.matches(&call.number).filter(|_| applies) else { continue };
            let number = match &rule.rewrite {
                Some(template) => fill(template, &call.number, &caught),
                None => call.number.clone(),
            };
            return match &rule.action {
                Action::User(name) => self.user(name.as_deref().unwrap_or(&number)),
                Action::Trunk(name) => Decision::Trunk { name: name.clone(), number },
                Action::Application(application) => Decision::Application(*application),
                Action::DemoPhone => Decision::DemoPhone { number },
                Action::Reject(code) => Decision::Reject { code: *code },
            };
        }
        self.user(&call.number)
    }

    fn user(&self, name: &str) -> Decision {
        if self.users.contains(name) {
            Decision::User { name: name.to_owned() }
        } else {
            Decision::Reject { code: 404 }
        }
    }
}

fn fill(template: &str, whole: &str, caught: &[&str]) -> String {
    let mut out = String::with_capacity(template.len() + whole.len());
    let mut chars = template.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek().and_then(|d| d.to_digit(10))) {
            ('$', Some(0)) => {
                out.push_str(whole);
                chars.next();
            }
            ('$', Some(n)) => {
                out.push_str(caught.get(n as usize - 1).copied().unwrap_or_default());
                chars.next();
            }
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(pattern: &str, rewrite: Option<&str>, action: Action) -> Rule {
        let pattern = Pattern::parse(pattern).expect("pattern");
        Rule { pattern, from_trunk: None, rewrite: rewrite.map(str::to_owned), action }
    }

    fn plan() -> DialPlan {
        let mut inbound = rule("+4930123(XX)", Some("10$1"), Action::User(None));
        inbound.from_trunk = Some("carrier".into());
        let mut transit = rule("777", None, Action::Trunk("carrier".into()));
        transit.from_trunk = Some("pbx".into());
        DialPlan::new(
            vec![
                inbound,
                transit,
                rule("9196", None, Action::Application(Application::Echo)),
                rule("110", None, Action::Reject(603)),
                rule("0(Z.)", Some("+49$1"), Action::Trunk("carrier".into())),
                rule("777", None, Action::Trunk("carrier".into())),
                rule("100", None, Action::User(Some("1001".into()))),
            ],
            ["1001", "alice"].map(str::to_owned),
        )
    }

    fn decide(origin: Origin, number: &str) -> Decision {
        plan().decide(&CallRequest { origin, number: number.into() })
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        let user = || Origin::User("alice".into());
        assert_eq!(decide(user(), "9196"), Decision::Application(Application::Echo));
        assert_eq!(decide(user(), "110"), Decision::Reject { code: 603 });
        let trunk = Decision::Trunk { name: "carrier".into(), number: "+4930456".into() };
        assert_eq!(decide(user(), "030456"), trunk);
        assert_eq!(decide(user(), "100"), Decision::User { name: "1001".into() });
        assert_eq!(decide(user(), "alice"), Decision::User { name: "alice".into() });
        assert_eq!(decide(user(), "bob"), Decision::Reject { code: 404 });
    }

    #[test]
    fn callers_from_outside_reach_a_trunk_only_by_a_rule_for_them() {
        let carrier = || Origin::Trunk("carrier".into());
        assert_eq!(decide(carrier(), "+493012301"), Decision::User { name: "1001".into() });
        assert_eq!(decide(carrier(), "+493012399"), Decision::Reject { code: 404 });
        assert_eq!(decide(carrier(), "030456"), Decision::Reject { code: 404 });
        assert_eq!(decide(Origin::Anonymous, "777"), Decision::Reject { code: 404 });
        let transit = Decision::Trunk { name: "carrier".into(), number: "777".into() };
        assert_eq!(decide(Origin::Trunk("pbx".into()), "777"), transit);
    }

    #[test]
    fn rewrites_keep_what_is_no_capture() {
        assert_eq!(fill("+49$1$", "0301", &["301"]), "+49301$");
        assert_eq!(fill("$0@$9", "7", &[]), "7@");
    }
}
