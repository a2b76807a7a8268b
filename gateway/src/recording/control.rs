//! The switch's part of recordings: it sees calls come together, decides by the rules, and takes the orders of people.
//!
//! The far side of a call is recorded: its leg stays while others come and go, and hears what they say. Where that leg leaves
//! and the call goes on, another recording begins.

use std::collections::BTreeMap;

use sans_io::{Rng, Time};
use session_core::{Coordinator, Event, LegId, LegInfo, SessionId};
use tokio::sync::{mpsc, oneshot};

use super::RecordingSettings;
use super::entry::{Recording, RecordingState};
use super::rules::{Facts, Share, decide};
use crate::centre::command::Refused;
use crate::centre::view::Moment;

/// Orders to the task that may wait; what does not fit is not done, and said.
pub(crate) const ASKS: usize = 4_096;

/// Order to the task.
#[derive(Debug)]
pub(crate) enum Ask {
    /// Record a leg.
    Begin { recording: Box<Recording>, leg: LegId },
    /// Record silence.
    Pause(String),
    /// Record what is said again.
    Resume(String),
    /// End a recording before its call.
    Stop(String),
}

/// Wish of a person about the recording of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Begin.
    Start,
    /// Record silence.
    Pause,
    /// Record what is said again.
    Resume,
    /// End.
    Stop,
}

/// A wish on its way to the signalling task.
#[derive(Debug)]
pub struct Wanted {
    /// Id of the call.
    pub call: String,
    /// The wish.
    pub wish: Wish,
    /// Answer: the id of the recording.
    pub reply: oneshot::Sender<Result<String, Refused>>,
}

/// A call as the call centre knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownCall {
    /// Its id.
    pub id: String,
    /// Id and name of its queue.
    pub queue: Option<(String, String)>,
}

/// Decisions about recordings.
#[derive(Debug)]
pub struct Control {
    settings: RecordingSettings,
    asks: mpsc::Sender<Ask>,
    rng: Rng,
    calls: BTreeMap<SessionId, Known>,
    /// Number of the last recording.
    last: u64,
}

/// A call whose parties talk.
#[derive(Debug)]
struct Known {
    call: KnownCall,
    share: Share,
    /// The leg that is recorded, or would be.
    leg: LegId,
    users: Vec<String>,
    trunk: Option<String>,
    live: Option<Live>,
}

/// A recording under way.
#[derive(Debug)]
struct Live {
    id: String,
    leg: LegId,
    is_paused: bool,
}

impl Control {
    /// A control, and the orders that it gives.
    #[must_use]
    pub(crate) fn new(settings: RecordingSettings, rng: Rng) -> (Control, mpsc::Receiver<Ask>) {
        let (asks, asked) = mpsc::channel(ASKS);
        let control = Control {
            settings,
            asks,
            rng,
            calls: BTreeMap::new(),
            last: 0,
        };
        (control, asked)
    }

    /// Acts on an event of any call. `known` finds the call of a session.
    pub(crate) fn event(
        &mut self,
        now: Time,
        event: &Event,
        coordinator: &Coordinator,
        known: impl FnOnce(SessionId) -> Option<KnownCall>,
    ) {
        match event {
            Event::Bridged { session, .. } => {
                let legs = coordinator.legs_in(*session);
                let dialled = coordinator.find_session(*session).map(|call| call.to);
                if let Some(call) = known(*session) {
                    self.bridged(now, *session, call, &legs, &dialled.unwrap_or_default());
                }
            }
            Event::Joined { session, guest } => self.joined(*session, *guest),
            Event::Ended { session, .. } => {
                self.calls.remove(session);
            }
            _ => {}
        }
    }

    /// The parties of a call hear each other.
    fn bridged(&mut self, now: Time, session: SessionId, call: KnownCall, legs: &[LegInfo], dialled: &str) {
        let Some(far) = far_side(legs, call.queue.is_some()) else {
            return;
        };
        let users: Vec<String> = legs.iter().filter_map(|leg| leg.user.clone()).collect();
        let trunk = far.trunk.clone();
        let facts = Facts {
            queue: call.queue.as_ref().map(|(_, name)| name.as_str()),
            users: &users,
            trunk: trunk.as_deref(),
            dialled,
        };
        let (is_new, share) = match self.calls.get(&session) {
            Some(known) => (false, known.share),
            None => (true, decide(&self.settings.rules, &facts)),
        };
        let before = self.calls.remove(&session).and_then(|known| known.live);
        let goes_on = |live: &Live| legs.iter().any(|leg| leg.id == live.leg);
        let was_recorded = before.is_some();
        let live = before.filter(goes_on);
        let begins = live.is_none() && (was_recorded || (is_new && share.draw(&mut self.rng)));
        let known = Known {
            call,
            share,
            leg: far.id,
            users,
            trunk,
            live,
        };
        self.calls.insert(session, known);
        if begins {
            // A refusal is in the log.
            let _ = self.begin(now, session);
        }
    }

    /// A call went on in another one: its recording as well, unless that one has its own.
    fn joined(&mut self, session: SessionId, guest: SessionId) {
        let Some(guest) = self.calls.remove(&guest) else {
            return;
        };
        match self.calls.get_mut(&session) {
            Some(known) if known.live.is_none() => known.live = guest.live,
            Some(_) => {}
            None => {
                self.calls.insert(session, guest);
            }
        }
    }

    /// Carries out a person's wish.
    pub(crate) fn wanted(&mut self, now: Time, wanted: Wanted) {
        let result = self.wish(now, &wanted.call, wanted.wish);
        // The client may have gone away.
        let _ = wanted.reply.send(result);
    }

    fn wish(&mut self, now: Time, call: &str, wish: Wish) -> Result<String, Refused> {
        let mut calls = self.calls.iter();
        let found = calls.find(|(_, known)| known.call.id == call);
        let session = *found.ok_or(Refused::UnknownCall)?.0;
        if wish == Wish::Start {
            return self.start(now, session);
        }
        let known = self.calls.get_mut(&session).ok_or(Refused::UnknownCall)?;
        let live = known.live.as_mut().ok_or(Refused::WrongState)?;
        let id = live.id.clone();
        let ask = match (wish, live.is_paused) {
            (Wish::Pause, false) => Ask::Pause(id.clone()),
            (Wish::Resume, true) => Ask::Resume(id.clone()),
            (Wish::Stop, _) => Ask::Stop(id.clone()),
            _ => return Err(Refused::WrongState),
        };
        self.asks.try_send(ask).map_err(|_| Refused::Busy)?;
        live.is_paused = wish == Wish::Pause;
        if wish == Wish::Stop {
            known.live = None;
        }
        Ok(id)
    }

    fn start(&mut self, now: Time, session: SessionId) -> Result<String, Refused> {
        let known = self.calls.get(&session).ok_or(Refused::UnknownCall)?;
        match (&known.live, known.share) {
            (Some(_), _) => Err(Refused::WrongState),
            (None, Share::Never) => Err(Refused::NotAllowed),
            (None, _) => self.begin(now, session),
        }
    }

    /// Begins to record a call.
    fn begin(&mut self, now: Time, session: SessionId) -> Result<String, Refused> {
        self.last = now.as_micros().max(self.last + 1);
        let id = format!("recording_{}", self.last);
        let known = self.calls.get_mut(&session).ok_or(Refused::UnknownCall)?;
        let recording = Recording {
            id: id.clone(),
            call: Some(known.call.id.clone()),
            state: RecordingState::Recording,
            began: Moment(now),
            duration_s: 0.0,
            queue: known.call.queue.as_ref().map(|(id, _)| id.clone()),
            trunk: known.trunk.clone(),
            users: known.users.clone(),
            rate: self.settings.rate,
            pauses: Vec::new(),
            encrypted: false,
            size: 0,
            sha256: None,
            interrupted: false,
            missed_packets: 0,
            error: None,
        };
        let ask = Ask::Begin {
            recording: Box::new(recording),
            leg: known.leg,
        };
        if self.asks.try_send(ask).is_err() {
            tracing::error!(
                session = session.0,
                "a call is not recorded: too many recordings wait to begin"
            );
            return Err(Refused::Busy);
        }
        known.live = Some(Live {
            id: id.clone(),
            leg: known.leg,
            is_paused: false,
        });
        Ok(id)
    }
}

/// The leg of the far side: a queue's caller, else whoever is at a trunk, else the caller.
fn far_side(legs: &[LegInfo], is_queued: bool) -> Option<&LegInfo> {
    let answered = || legs.iter().filter(|leg| leg.answered.is_some());
    let caller = answered().find(|leg| leg.incoming);
    let at_trunk = answered().find(|leg| leg.trunk.is_some());
    match is_queued {
        true => caller.or(at_trunk),
        false => at_trunk.or(caller),
    }
    .or_else(|| answered().next())
}

#[cfg(test)]
mod tests;
