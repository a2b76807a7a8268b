//! The ordered dial plan: the first rule that matches decides.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use sans_io::Time;

use crate::acd::Hours;
use crate::{Pattern, Trunks};

/// Facts about a call that the plan decides by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRequest {
    /// Origin of the call.
    pub origin: Origin,
    /// Digits or a name that was dialled.
    pub number: String,
    /// The same number in E.164, if it is one of the public network as it was dialled. Rules may match either.
    pub e164: Option<String>,
    /// Time of the call.
    pub at: Time,
}

impl CallRequest {
    /// A call to what was dialled, at that time.
    #[must_use]
    pub fn new(origin: Origin, number: impl Into<String>, at: Time) -> CallRequest {
        CallRequest {
            origin,
            number: number.into(),
            e164: None,
            at,
        }
    }
}

/// Origin of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A user of ours, by name.
    User(String),
    /// A trunk, by name.
    Trunk(String),
    /// Somebody we do not know.
    Anonymous,
    /// The gateway itself: a queue that sends its callers on.
    Gateway,
}

/// Decision of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// All contacts of a user.
    User {
        /// The user.
        name: String,
    },
    /// A number at a trunk.
    Trunk {
        /// The trunks that may take the call.
        trunks: Trunks,
        /// The number.
        number: String,
        /// Number that they are shown; `None`: as each of them says.
        caller_id: Option<CallerId>,
        /// Whoever it is on account of.
        on_account_of: Origin,
    },
    /// The call waits for an agent.
    Queue {
        /// The queue.
        name: String,
        /// Priority of the call; `None`: that of the queue.
        priority: Option<u8>,
    },
    /// The phones of a ring group.
    Group {
        /// The group.
        name: String,
    },
    /// A slot in which calls are parked.
    Park {
        /// The slot; `None`: any that is free.
        slot: Option<String>,
    },
    /// An application answers.
    Application(Application),
    /// A number at a peer that is no trunk.
    Peer {
        /// The peer.
        name: String,
        /// Number that was dialled.
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
            Decision::Queue { .. } => "queue",
            Decision::Group { .. } => "group",
            Decision::Park { .. } => "park",
            Decision::Application(_) => "application",
            Decision::Peer { .. } => "peer",
            Decision::Reject { .. } => "reject",
        }
    }
}

/// Application that answers a call by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Application {
    /// Plays back what it hears.
    Echo,
    /// The bundled tune.
    Music,
    /// A 1004 Hz tone at -10 dBm0.
    Tone,
}

/// Caller that a trunk is shown by a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallerId {
    /// The caller's own number, whatever the trunk says.
    Pass,
    /// This number.
    Number(String),
    /// Nobody: the caller stays unknown.
    Withheld,
}

/// One line of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Pattern that it matches.
    pub pattern: Pattern,
    /// Trunk whose calls alone it applies to.
    pub from_trunk: Option<String>,
    /// Hours in which alone it applies; `None`: always.
    pub hours: Option<Hours>,
    /// Caller that trunks are shown, where it calls by one; `None`: as each trunk says.
    pub caller_id: Option<CallerId>,
    /// Rewriting of the number before the action: `$1` to `$9` and `$0` (all of it) are filled in. `None`:
    /// stays as dialled.
    pub rewrite: Option<String>,
    /// Action of the rule.
    pub action: Action,
}

impl Rule {
    /// A rule for everybody, at any hour.
    #[must_use]
    pub fn new(pattern: Pattern, action: Action) -> Rule {
        Rule {
            pattern,
            from_trunk: None,
            hours: None,
            caller_id: None,
            rewrite: None,
            action,
        }
    }

    /// True if it can decide about a call, whatever was dialled.
    fn applies(&self, call: &CallRequest) -> bool {
        let of_caller = match (&self.from_trunk, &call.origin) {
            (Some(wanted), Origin::Trunk(name)) => wanted == name,
            (Some(_), _) => false,
            (None, Origin::Trunk(_) | Origin::Anonymous) => !matches!(self.action, Action::Trunk(_)),
            (None, Origin::User(_) | Origin::Gateway) => true,
        };
        of_caller && self.hours.as_ref().is_none_or(|hours| hours.is_open(call.at))
    }
}

/// Action of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Calls the user of this name, or the user that the number names; 404 when nobody is called that.
    User(Option<String>),
    /// Calls the number at the first of these trunks that takes the call; 484 when the rewrite left nothing of it. A call from a trunk
    /// does not go back there under that very number, which would come back for ever.
    Trunk(Trunks),
    /// Lets the call wait for an agent of a queue.
    Queue {
        /// The queue.
        name: String,
        /// Priority of the call; `None`: that of the queue.
        priority: Option<u8>,
    },
    /// Lets the phones of a ring group ring.
    Group(String),
    /// Answers by itself.
    Application(Application),
    /// Calls the number at a peer that is no trunk. Applies only to numbers of at least three digits.
    Peer(String),
    /// Refuses.
    Reject(u16),
}

/// Rules in order, and the users they may name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DialPlan {
    rules: Vec<Rule>,
    users: BTreeSet<String>,
    /// Names of queues by their numbers.
    queues: BTreeMap<String, String>,
    /// Names of ring groups by their numbers.
    groups: BTreeMap<String, String>,
    /// Numbers for parking calls, and the slot of each; none: any slot.
    park: BTreeMap<String, Option<String>>,
}

impl DialPlan {
    /// A plan over the users of the directory.
    #[must_use]
    pub fn new(rules: Vec<Rule>, users: impl IntoIterator<Item = String>) -> DialPlan {
        DialPlan {
            rules,
            users: users.into_iter().collect(),
            queues: BTreeMap::new(),
            groups: BTreeMap::new(),
            park: BTreeMap::new(),
        }
    }

    /// Adds queues that can be called unless a rule matches: number and name of each. Users of the same name
    /// come first.
    #[must_use]
    pub fn with_queues(mut self, queues: impl IntoIterator<Item = (String, String)>) -> DialPlan {
        self.queues = queues.into_iter().collect();
        self
    }

    /// Adds ring groups that can be called unless a rule matches: number and name of each. Users and queues of the same name come first.
    #[must_use]
    pub fn with_groups(mut self, groups: impl IntoIterator<Item = (String, String)>) -> DialPlan {
        self.groups = groups.into_iter().collect();
        self
    }

    /// Adds numbers by which users park calls and get them back unless a rule matches: `any` for any free slot, and one for each slot.
    #[must_use]
    pub fn with_park(mut self, any: String, slots: impl IntoIterator<Item = String>) -> DialPlan {
        self.park = slots.into_iter().map(|slot| (slot.clone(), Some(slot))).collect();
        self.park.insert(any, None);
        self
    }

    /// The first rule that matches decides; without one, a user of that name is called, else a queue, else a ring group, else (for users) a
    /// slot for parked calls, else nobody (404). A caller from a
    /// trunk never reaches another trunk unless a rule for that trunk says so: nobody calls out on our account. What is
    /// decided is not put to the plan again, so no plan can loop.
    ///
    /// A rule may match what was dialled, or the number in E.164 ([`CallRequest::e164`]), which then is the number of the call.
    ///
    /// Visual separators in a number (RFC 3966 §5.1.1) and spaces count for nothing: `+49 (30) 123-45` is `+493012345`.
    #[must_use]
    pub fn decide(&self, call: &CallRequest) -> Decision {
        let dialled = self.plain(&call.number);
        // Whom a number belongs to here, it does not lead away from.
        let public = call.e164.as_deref().filter(|_| !self.is_inside(&dialled));
        for rule in self.rules.iter().filter(|rule| rule.applies(call)) {
            // A pattern may itself be written with separators, or for the number as it is known everywhere.
            let mut texts = [&*dialled, &*call.number].into_iter().chain(public);
            let Some((text, caught)) = texts.find_map(|text| Some((text, rule.pattern.matches(text)?)))
            else {
                continue;
            };
            let number = match &rule.rewrite {
                Some(template) => fill(template, text, &caught),
                None => text.to_owned(),
            };
            return match &rule.action {
                Action::User(name) => self.user(name.as_deref().unwrap_or(&number)),
                Action::Trunk(trunks) => {
                    let trunks = match &call.origin {
                        Origin::Trunk(name) if number == text => trunks.without(name),
                        _ => Some(trunks.clone()),
                    };
                    match trunks {
                        None => continue,
                        Some(_) if number.is_empty() => Decision::Reject { code: 484 },
                        Some(trunks) => Decision::Trunk {
                            trunks,
                            number,
                            caller_id: rule.caller_id.clone(),
                            on_account_of: call.origin.clone(),
                        },
                    }
                }
                Action::Queue { name, priority } => Decision::Queue {
                    name: name.clone(),
                    priority: *priority,
                },
                Action::Group(name) => Decision::Group { name: name.clone() },
                Action::Application(application) => Decision::Application(*application),
                Action::Peer(_) if !is_number(&number) => continue,
                Action::Peer(name) => Decision::Peer {
                    name: name.clone(),
                    number,
                },
                Action::Reject(code) => Decision::Reject { code: *code },
            };
        }
        if self.users.contains(&*dialled) {
            return self.user(&dialled);
        }
        match (self.queues.get(&*dialled), self.groups.get(&*dialled)) {
            (Some(name), _) => Decision::Queue {
                name: name.clone(),
                priority: None,
            },
            (None, Some(name)) => Decision::Group { name: name.clone() },
            (None, None) => match (self.park.get(&*dialled), &call.origin) {
                (Some(slot), Origin::User(_)) => Decision::Park { slot: slot.clone() },
                _ => self.user(&dialled),
            },
        }
    }

    /// Dialled number without visual separators, if it is a number and not a user's name.
    fn plain<'n>(&self, dialled: &'n str) -> Cow<'n, str> {
        let separator = |c: char| matches!(c, '-' | '.' | '(' | ')' | ' ');
        let number = dialled.chars().all(|c| separator(c) || is_dialable(c)) && dialled.contains(is_dialable);
        if number && dialled.contains(separator) && !self.users.contains(dialled) {
            Cow::Owned(dialled.replace(separator, ""))
        } else {
            Cow::Borrowed(dialled)
        }
    }

    /// True for a user's name, or a number of a queue, of a ring group or for parked calls.
    fn is_inside(&self, dialled: &str) -> bool {
        self.users.contains(dialled)
            || [&self.queues, &self.groups]
                .iter()
                .any(|names| names.contains_key(dialled))
            || self.park.contains_key(dialled)
    }

    fn user(&self, name: &str) -> Decision {
        if self.users.contains(name) {
            Decision::User {
                name: name.to_owned(),
            }
        } else {
            Decision::Reject { code: 404 }
        }
    }
}

fn is_dialable(c: char) -> bool {
    c.is_ascii_digit() || matches!(c, '+' | '*' | '#')
}

/// At least three digits, with or without a plus before them.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    digits.len() >= 3 && digits.bytes().all(|byte| byte.is_ascii_digit())
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
mod tests;
