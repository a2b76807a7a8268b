//! The call centre as everybody sees it: the present state, and every change with its number.
//!
//! The signalling task makes changes, the store makes them durable, and then they are published here.
//! Subscribers read at their own speed from a ring of the last changes; one that falls behind further must
//! start again.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, RwLock};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::view::{Agent, Assignment, Call, Change, Moment, Queue};

/// Changes kept for those who were cut off.
pub const RING: usize = 16_384;

/// A change with its number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// From 1, without a gap, restarts included.
    pub seq: u64,
    /// Time of the event.
    pub time: Moment,
    /// The change.
    #[serde(flatten)]
    pub change: Change,
}

/// Everything that is there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    /// Number of the last change that is in it.
    pub seq: u64,
    /// Agents by id.
    pub agents: BTreeMap<String, Agent>,
    /// Queues by id.
    pub queues: BTreeMap<String, Queue>,
    /// Calls by id.
    pub calls: BTreeMap<String, Call>,
    /// Assignments by id.
    pub assignments: BTreeMap<String, Assignment>,
}

/// Clones are handles of one event stream.
#[derive(Clone, Debug)]
pub struct EventStream {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    inner: RwLock<Inner>,
    seq: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Inner {
    view: View,
    ring: VecDeque<Arc<Event>>,
}

/// Events that the subscriber missed are no longer kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooOld;

impl EventStream {
    /// An event stream whose last change had this number.
    #[must_use]
    pub fn new(seq: u64) -> EventStream {
        let inner = Inner {
            view: View {
                seq,
                ..View::default()
            },
            ring: VecDeque::new(),
        };
        EventStream {
            shared: Arc::new(Shared {
                inner: RwLock::new(inner),
                seq: watch::Sender::new(seq),
            }),
        }
    }

    /// An event stream that continues after these events, the last of which has the number `seq`: a subscriber that was
    /// cut off before a restart gets the events it missed. They do not appear in the state, which is
    /// published anew.
    #[must_use]
    pub fn after(seq: u64, events: Vec<Arc<Event>>) -> EventStream {
        let stream = EventStream::new(seq);
        match stream.shared.inner.write() {
            Ok(mut inner) => inner.ring.extend(events),
            Err(poisoned) => poisoned.into_inner().ring.extend(events),
        }
        stream
    }

    /// Takes changes in, in the order of their numbers. Those that are known already are passed over.
    pub fn publish(&self, events: impl IntoIterator<Item = Arc<Event>>) {
        let mut inner = match self.shared.inner.write() {
            Ok(inner) => inner,
            // A view is never left half changed: each change is one insertion or removal.
            Err(poisoned) => poisoned.into_inner(),
        };
        for event in events {
            if event.seq <= inner.view.seq {
                continue;
            }
            inner.view.apply(&event);
            if inner.ring.len() >= RING {
                inner.ring.pop_front();
            }
            inner.ring.push_back(event);
        }
        let seq = inner.view.seq;
        drop(inner);
        self.shared.seq.send_replace(seq);
    }

    /// Shows the present state to `look`, which must be quick.
    pub fn read<T>(&self, look: impl FnOnce(&View) -> T) -> T {
        match self.shared.inner.read() {
            Ok(inner) => look(&inner.view),
            Err(poisoned) => look(&poisoned.into_inner().view),
        }
    }

    /// Changes after `seq`, at most `limit`.
    ///
    /// # Errors
    /// [`TooOld`] when some of them are not kept any longer, or `seq` is yet to come.
    pub fn since(&self, seq: u64, limit: usize) -> Result<Vec<Arc<Event>>, TooOld> {
        let inner = match self.shared.inner.read() {
            Ok(inner) => inner,
            Err(poisoned) => poisoned.into_inner(),
        };
        if seq == inner.view.seq {
            return Ok(Vec::new());
        }
        let first = inner.ring.front().map_or(u64::MAX, |event| event.seq);
        if seq > inner.view.seq || seq + 1 < first {
            return Err(TooOld);
        }
        let skip = usize::try_from(seq + 1 - first).unwrap_or(usize::MAX);
        Ok(inner.ring.iter().skip(skip).take(limit).cloned().collect())
    }

    /// Number of the last change, to be watched.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.shared.seq.subscribe()
    }
}

impl View {
    /// Those who wait move up without a change of their own.
    fn line_up(&mut self, queue: &Queue) {
        let places: BTreeMap<&str, u32> = queue.live.line.iter().map(String::as_str).zip(1..).collect();
        let waits = |call: &&mut Call| call.queue.as_ref().is_some_and(|of| of.id == queue.id);
        for call in self.calls.values_mut().filter(waits) {
            call.position = places.get(call.id.as_str()).copied();
        }
    }

    fn apply(&mut self, event: &Event) {
        self.seq = event.seq;
        match &event.change {
            Change::Agent(agent) => {
                self.agents.insert(agent.id.clone(), agent.clone());
            }
            Change::Queue(queue) => {
                self.line_up(queue);
                self.queues.insert(queue.id.clone(), queue.clone());
            }
            Change::Call(call) => {
                self.calls.insert(call.id.clone(), call.clone());
            }
            Change::CallEnded { id, .. } | Change::CallJoined { id, .. } => {
                self.calls.remove(id);
            }
            Change::AssignmentMade(assignment) => {
                self.assignments.insert(assignment.id.clone(), assignment.clone());
            }
            Change::AssignmentEnded { id, .. } => {
                self.assignments.remove(id);
            }
            Change::Logged { .. } => {}
            Change::AgentRemoved { id } => {
                self.agents.remove(id);
            }
            Change::QueueRemoved { id } => {
                self.queues.remove(id);
            }
            Change::EmergencyCall { .. }
            | Change::RecordingStarted(_)
            | Change::RecordingPaused(_)
            | Change::RecordingResumed(_)
            | Change::RecordingSaved(_)
            | Change::Trunk(_)
            | Change::Config { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::centre::view::{CallKind, CallPhase, Party, QueueDay, QueueLive, QueueName};

    fn events(numbers: std::ops::RangeInclusive<u64>) -> Vec<Arc<Event>> {
        numbers
            .map(|seq| {
                Arc::new(Event {
                    seq,
                    time: Moment::default(),
                    change: Change::Config {
                        what: "queues".into(),
                    },
                })
            })
            .collect()
    }

    fn numbers(events: Result<Vec<Arc<Event>>, TooOld>) -> Vec<u64> {
        events.expect("kept").iter().map(|event| event.seq).collect()
    }

    #[test]
    fn whoever_was_cut_off_gets_what_was_missed_and_no_more() {
        let stream = EventStream::new(10);
        let watch = stream.watch();
        stream.publish(events(11..=20));
        stream.publish(events(15..=22));
        assert_eq!(*watch.borrow(), 22);
        assert_eq!(numbers(stream.since(10, 100)), (11..=22).collect::<Vec<_>>());
        assert_eq!(numbers(stream.since(20, 1)), [21]);
        assert_eq!(numbers(stream.since(22, 100)), [0; 0]);
        assert_eq!(stream.since(9, 100), Err(TooOld));
        assert_eq!(stream.since(23, 100), Err(TooOld));
    }

    #[test]
    fn those_who_wait_move_up_with_the_line_of_their_queue() {
        let call = |id: &str, position| {
            Change::Call(Call {
                id: id.into(),
                kind: CallKind::Queue,
                queue: Some(QueueName {
                    id: "que_1".into(),
                    name: String::new(),
                }),
                from: Party::default(),
                to: String::new(),
                priority: 0,
                state: CallPhase::Waiting,
                since: Moment::default(),
                entered_at: Moment::default(),
                answered_at: None,
                position,
                agent: None,
                agents: Vec::new(),
                parties: Vec::new(),
                legs: Vec::new(),
                joined: Vec::new(),
                transferred_by: None,
                notes: Vec::new(),
                disposition: None,
                consult: None,
                parked: None,
            })
        };
        let queue = |line: &[&str]| {
            Change::Queue(Queue {
                id: "que_1".into(),
                name: String::new(),
                strategy: String::new(),
                service_level_target_s: 20,
                live: QueueLive {
                    line: line.iter().map(|id| (*id).to_owned()).collect(),
                    ..QueueLive::default()
                },
                today: QueueDay::default(),
                alarms: crate::centre::view::QueueAlarms::default(),
                silent_monitoring: false,
            })
        };
        let stream = EventStream::new(0);
        let changes = [
            call("a", Some(1)),
            call("b", Some(2)),
            call("c", None),
            queue(&["b", "c"]),
        ];
        stream.publish(changes.into_iter().zip(1..).map(|(change, seq)| {
            Arc::new(Event {
                seq,
                time: Moment::default(),
                change,
            })
        }));
        let places = stream.read(|view| view.calls.values().map(|call| call.position).collect::<Vec<_>>());
        assert_eq!(places, [None, Some(1), Some(2)]);
    }

    #[test]
    fn what_is_older_than_the_ring_is_told_to_begin_anew() {
        let stream = EventStream::new(0);
        stream.publish(events(1..=RING as u64 + 5));
        assert_eq!(stream.since(4, 10), Err(TooOld));
        assert_eq!(numbers(stream.since(5, 2)), [6, 7]);
    }
}
