//! Queues of a file.

use std::ops::Range;

use super::reader::{Reader, Section, unknown};
use super::setting::Table;
use super::{Queue, QueueRef};

/// A queue that another one names, with the key and the place where it does.
struct Reference {
    key: &'static str,
    to: QueueRef,
    at: Range<usize>,
    /// Name of the queue that has the key.
    from: String,
}

pub(super) fn read_queues<'t>(r: &mut Reader<'t>, root: &mut Section<'t>) -> Vec<Queue> {
    let mut queues: Vec<Queue> = Vec::new();
    let mut references = Vec::new();
    for (mut section, table) in r.sections(root, "queues") {
        let queue = Queue::read(&mut Table::new(r, &mut section, &table));
        for (_, key, to) in queue.references() {
            references.push(Reference {
                key,
                to: to.clone(),
                at: section.span(key).unwrap_or(table.clone()),
                from: queue.name.clone(),
            });
        }
        let same_number = |other: &&Queue| queue.number.is_some() && other.number == queue.number;
        if let Some(other) = queues.iter().find(same_number) {
            let at = section.span("number").unwrap_or(table.clone());
            r.fail(
                at,
                format!("queues.number: that is the number of `{}`", other.name),
            );
        }
        if queues.iter().any(|other| other.name == queue.name) {
            let at = section.span("name").unwrap_or(table);
            r.fail(at, format!("queues.name: there are two queues `{}`", queue.name));
        } else if !queue.name.is_empty() {
            queues.push(queue);
        }
        r.finish(section);
    }
    for Reference { key, to, at, from } in references {
        let path = format!("queues.{key}");
        if !queues.iter().any(|queue| QueueRef::named(&queue.name) == to) {
            let names = queues.iter().map(|queue| &queue.name);
            r.fail(at, unknown(&path, "queue", to.name(), names));
        } else if QueueRef::named(&from) == to {
            r.warn(at, format!("{path}: that is the queue itself"));
        }
    }
    queues
}
