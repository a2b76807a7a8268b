//! Destinations of calls that a queue does not keep.

use super::super::queue_ref::{Overflow, QueueRef};
use super::super::reader::filled;
use super::{FieldErrors, Line, Setting, Table};

/// Destination of calls; the file has a key for a queue and one for a number, and at most one of them may be there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Destination {
    /// Key for the name of a queue.
    pub(crate) queue: &'static str,
    /// Key for a number.
    pub(crate) number: &'static str,
}

/// A number that the dial plan resolves.
const NUMBER: Line = Line {
    least: 1,
    greatest: 64,
};

impl Setting for Destination {
    type Value = Overflow;

    fn keys(&self, _: &'static str) -> Vec<&'static str> {
        vec![self.queue, self.number]
    }

    fn read(&self, _: &'static str, t: &mut Table<'_, '_>) -> Option<Overflow> {
        let queue = t.r.get(t.s, self.queue, filled);
        let number = t.r.get(t.s, self.number, filled);
        match (queue, number) {
            (Some(_), Some(_)) => {
                let (queue, number) = (t.s.path(self.queue), t.s.path(self.number));
                let message = format!("{queue} and {number}: a queue can have only one of them");
                t.r.fail(t.at.clone(), message);
                None
            }
            (Some(name), None) => Some(Overflow::Queue(QueueRef::named(&name))),
            (None, Some(number)) => Some(Overflow::Number(number)),
            (None, None) => None,
        }
    }

    fn check(&self, field: &str, value: &Overflow, wrong: &mut FieldErrors) {
        if let Overflow::Number(number) = value {
            NUMBER.check(field, number, wrong);
        }
    }

    fn values(&self) -> String {
        format!("the name of a queue, or a number of {}", NUMBER.values())
    }

    fn shown(&self, value: &Overflow) -> String {
        match value {
            Overflow::HangUp => "hang up".to_owned(),
            Overflow::Number(number) => format!("`{number:?}`"),
            Overflow::Queue(queue) => format!("`{:?}`", queue.name()),
        }
    }

    fn queue<'v>(&self, value: &'v Overflow) -> Option<&'v QueueRef> {
        match value {
            Overflow::Queue(queue) => Some(queue),
            Overflow::Number(_) | Overflow::HangUp => None,
        }
    }
}
