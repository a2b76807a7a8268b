//! Contacts of users (RFC 3261 §10.3, RFC 5626 §6): several for each, with the flow that leads to each.

mod binding;
mod request;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use sans_io::{Deadline, Time, Timers};

pub use binding::Binding;

use crate::flow::{Flow, FlowId};
use crate::message::{Message, StatusCode};
use crate::uri::UriRef;
use request::{Change, Refusal};

/// Lifetimes of bindings, and their maximum number.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Minimum lifetime; shorter ones are refused with 423.
    pub min_expires: Duration,
    /// Lifetime if the request names none.
    pub default_expires: Duration,
    /// Maximum lifetime; longer ones are shortened to it.
    pub max_expires: Duration,
    /// Contacts of one user; the one that was refreshed longest ago makes room.
    pub max_contacts: usize,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            min_expires: Duration::from_secs(60),
            default_expires: Duration::from_secs(3600),
            max_expires: Duration::from_secs(7200),
            max_contacts: 16,
        }
    }
}

/// Answer to a REGISTER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterOutcome {
    /// 200, 400, 403, 423 or 500.
    pub code: StatusCode,
    /// `Contact` of each binding, `Min-Expires`, `Path`.
    pub headers: Vec<(String, String)>,
}

/// Effect that a REGISTER would have on the bindings of its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// None: it names no contact, and asks which there are.
    Query,
    /// It makes or refreshes a binding for this time at most.
    Bind(Duration),
    /// It removes bindings, and others stay.
    Remove,
    /// It leaves no binding.
    Empty,
}

/// Change of a user's bindings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The first contact came.
    Reachable {
        /// As given to [`Registrar::register`].
        user: String,
    },
    /// The last contact went.
    Unreachable {
        /// As given to [`Registrar::register`].
        user: String,
    },
    /// A contact came or moved to another flow while others may stand.
    Moved {
        /// As given to [`Registrar::register`].
        user: String,
        /// The flow that leads to it.
        flow: Flow,
    },
}

/// All bindings. The caller of these functions knows the user, because it has checked the password.
#[derive(Debug)]
pub struct Registrar {
    config: Config,
    /// In order of their last refresh, the latest last.
    users: BTreeMap<String, Vec<Binding>>,
    owners: BTreeMap<u64, String>,
    /// By flow, then by id.
    flows: BTreeMap<(FlowId, u64), ()>,
    expiries: Timers<u64>,
    last_id: u64,
    events: VecDeque<Event>,
    /// Number of changes so far.
    revision: u64,
}

impl Registrar {
    /// Knows nobody.
    #[must_use]
    pub fn new(config: Config) -> Registrar {
        Registrar {
            config,
            users: BTreeMap::new(),
            owners: BTreeMap::new(),
            flows: BTreeMap::new(),
            expiries: Timers::default(),
            last_id: 0,
            events: VecDeque::new(),
            revision: 0,
        }
    }

    /// A REGISTER of `user`, who proved to be that, over `flow`. All of its contacts change, or none.
    pub fn register(&mut self, now: Time, user: &str, request: &Message, flow: Flow) -> RegisterOutcome {
        self.register_within(now, user, request, flow, self.config.max_expires)
    }

    /// As [`register`](Self::register), for a time that ends with somebody else's registration: no binding lasts longer than `longest`.
    pub fn register_within(
        &mut self,
        now: Time,
        user: &str,
        request: &Message,
        flow: Flow,
        longest: Duration,
    ) -> RegisterOutcome {
        let current = self.users.get(user).map_or(&[][..], Vec::as_slice);
        let changes = match request::read(&self.config, current, request) {
            Ok(changes) => changes,
            Err(refusal) => return refused(&refusal),
        };
        for change in changes {
            match change {
                Change::Remove { id } => self.remove(id),
                Change::Set { contact, expires } => {
                    self.set(now, user, request, flow, contact, expires.min(longest));
                }
            }
        }
        let mut headers: Vec<_> = self
            .lookup(user)
            .map(|binding| ("Contact".to_owned(), binding.echo(now)))
            .collect();
        // RFC 3327 §5.3: the client sees the path that was stored.
        headers.extend(
            request
                .lines(crate::message::HeaderName::Path)
                .map(|path| ("Path".to_owned(), path.to_owned())),
        );
        RegisterOutcome {
            code: StatusCode::OK,
            headers,
        }
    }

    /// Effect that a REGISTER of `user` would have now. Nothing changes.
    ///
    /// # Errors
    /// The refusal that [`register`](Self::register) would answer.
    pub fn effect(&self, user: &str, request: &Message) -> Result<Effect, RegisterOutcome> {
        let current = self.users.get(user).map_or(&[][..], Vec::as_slice);
        let changes = request::read(&self.config, current, request).map_err(|refusal| refused(&refusal))?;
        let longest = changes.iter().filter_map(|change| match change {
            Change::Set { expires, .. } => Some(*expires),
            Change::Remove { .. } => None,
        });
        let removed = changes
            .iter()
            .filter(|change| matches!(change, Change::Remove { .. }));
        Ok(match longest.max() {
            Some(longest) => Effect::Bind(longest),
            None if request.header(crate::message::HeaderName::Contact).is_none() => Effect::Query,
            None if removed.count() < current.len() => Effect::Remove,
            None => Effect::Empty,
        })
    }

    /// The contacts of `user`: by their `q`, highest first, of equal ones the latest first.
    pub fn lookup(&self, user: &str) -> impl Iterator<Item = &Binding> {
        let mut found: Vec<&Binding> = self.users.get(user).into_iter().flatten().rev().collect();
        found.sort_by_key(|binding| std::cmp::Reverse(binding.q));
        found.into_iter()
    }

    /// Notes that the client of `user` at this contact, or at least at this flow, offered DTLS-SRTP in a
    /// call, or plain RTP.
    pub fn offered(&mut self, user: &str, contact: Option<UriRef<'_>>, flow: Flow, dtls: bool) {
        let bindings = self.users.get_mut(user).map_or(&mut [][..], Vec::as_mut_slice);
        let named = |binding: &Binding| contact.is_some_and(|uri| uri.same(binding.uri.borrow()));
        let there = |binding: &Binding| {
            (binding.flow.transport, binding.flow.remote) == (flow.transport, flow.remote)
        };
        let any_named = bindings.iter().any(named);
        let meant = |binding: &Binding| if any_named { named(binding) } else { there(binding) };
        for binding in bindings.iter_mut().filter(|binding| meant(binding)) {
            binding.offers_dtls = Some(dtls);
        }
    }

    /// True when `user` has a contact.
    #[must_use]
    pub fn is_reachable(&self, user: &str) -> bool {
        self.users.contains_key(user)
    }

    /// A connection closed: bindings over it are gone (RFC 5626 §5.3), whatever time they had left.
    pub fn flow_closed(&mut self, flow: FlowId) {
        let lost: Vec<u64> = self
            .flows
            .range((flow, 0)..=(flow, u64::MAX))
            .map(|((_, id), ())| *id)
            .collect();
        for id in lost {
            self.remove(id);
        }
    }

    /// Ends every binding of `user`: he may register no more.
    pub fn forget(&mut self, user: &str) {
        let ids: Vec<u64> = self
            .users
            .get(user)
            .into_iter()
            .flatten()
            .map(|binding| binding.id)
            .collect();
        for id in ids {
            self.remove(id);
        }
    }

    /// Ends the bindings of `user` that were made over `flow` by the peer at its other end.
    pub fn forget_over(&mut self, user: &str, flow: FlowId, remote: SocketAddr) {
        let ids: Vec<u64> = self
            .users
            .get(user)
            .into_iter()
            .flatten()
            .filter(|binding| (binding.flow.id, binding.flow.remote) == (flow, remote))
            .map(|binding| binding.id)
            .collect();
        for id in ids {
            self.remove(id);
        }
    }

    /// Ends what expired.
    pub fn handle_timeout(&mut self, now: Time) {
        while let Some(id) = self.expiries.pop_due(now) {
            self.remove(id);
        }
    }

    /// Time at which the next binding expires.
    #[must_use]
    pub fn poll_timeout(&self) -> Deadline {
        self.expiries.next()
    }

    /// Next change since the last call.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Number that is another one after each change of any binding.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Bindings of all users.
    #[must_use]
    pub fn len(&self) -> usize {
        self.owners.len()
    }

    /// True when nobody is registered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.owners.is_empty()
    }

    fn set(
        &mut self,
        now: Time,
        user: &str,
        request: &Message,
        flow: Flow,
        contact: String,
        expires: Duration,
    ) {
        self.last_id += 1;
        let id = self.last_id;
        let Some(mut binding) = Binding::new(id, contact, now + expires, flow, request) else {
            return;
        };
        self.revision += 1;
        let was_reachable = self.is_reachable(user);
        let replaced = self
            .users
            .get(user)
            .into_iter()
            .flatten()
            .find(|known| known.is_same(&binding));
        let moved = replaced.is_none_or(|known| known.flow != flow);
        binding.offers_dtls = replaced.and_then(|known| known.offers_dtls);
        let replaces = replaced.map(|known| known.id);
        self.owners.insert(id, user.to_owned());
        self.flows.insert((flow.id, id), ());
        self.expiries.set(id, now + expires, "registration expires");
        let bindings = self.users.entry(user.to_owned()).or_default();
        bindings.push(binding);
        let surplus = (bindings.len() - usize::from(replaces.is_some()) > self.config.max_contacts)
            .then(|| bindings.first().map(|oldest| oldest.id))
            .flatten();
        for id in [replaces, surplus].into_iter().flatten() {
            self.remove(id);
        }
        if !was_reachable {
            self.events.push_back(Event::Reachable {
                user: user.to_owned(),
            });
        }
        if moved {
            self.events.push_back(Event::Moved {
                user: user.to_owned(),
                flow,
            });
        }
    }

    fn remove(&mut self, id: u64) {
        self.expiries.cancel(id);
        let Some(user) = self.owners.remove(&id) else {
            return;
        };
        self.revision += 1;
        let Some(bindings) = self.users.get_mut(&user) else {
            return;
        };
        if let Some(at) = bindings.iter().position(|binding| binding.id == id) {
            let binding = bindings.remove(at);
            self.flows.remove(&(binding.flow.id, id));
        }
        if bindings.is_empty() {
            self.users.remove(&user);
            self.events.push_back(Event::Unreachable { user });
        }
    }
}

fn refused(refusal: &Refusal) -> RegisterOutcome {
    let headers = match refusal {
        Refusal::TooBrief { min } => vec![("Min-Expires".to_owned(), min.to_string())],
        Refusal::Malformed | Refusal::TooMany | Refusal::OutOfOrder => Vec::new(),
    };
    RegisterOutcome {
        code: refusal.code(),
        headers,
    }
}
