//! Instant messages for users who are absent, in the store: saved before their senders are told 202, removed when they are over.

use std::sync::Arc;
use std::time::Duration;

use session_core::{MessageId, SavedMessage};
use sip_stack::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;

use crate::store::{Store, StoreError, Table};
use crate::switch::Request;

/// Rows of messages.
const KIND: &str = "message";
/// Rows that are read at a time.
const PAGE: u32 = 1_024;
/// Rows that are written at a time.
const BATCH: usize = 256;
/// Messages that may wait to be saved; beyond that their senders are told 503.
const ROOM: usize = 4_096;
/// Time until a removal that failed is tried again.
const AGAIN: Duration = Duration::from_millis(500);

/// Work for the store.
#[derive(Debug)]
enum Work {
    Save(MessageId, SavedMessage, OwnedSemaphorePermit),
    Remove(MessageId),
}

/// Handle of the task that writes messages.
#[derive(Debug)]
pub struct MessageSaver {
    work: mpsc::UnboundedSender<Work>,
    /// Bounds the messages among the work; removals, of which none may be lost, are a few octets each.
    room: Arc<Semaphore>,
}

/// Messages that wait to be written.
#[derive(Debug)]
pub struct Unwritten(mpsc::UnboundedReceiver<Work>);

impl MessageSaver {
    /// A saver, and what its task works on.
    #[must_use]
    pub fn new() -> (MessageSaver, Unwritten) {
        let (work, unwritten) = mpsc::unbounded_channel();
        let room = Arc::new(Semaphore::new(ROOM));
        (MessageSaver { work, room }, Unwritten(unwritten))
    }

    /// Has a message saved; [`Request::MessagesSaved`] is to follow. False if that cannot be.
    pub(crate) fn save(&self, message: MessageId, saved: SavedMessage) -> bool {
        let Ok(room) = Arc::clone(&self.room).try_acquire_owned() else {
            return false;
        };
        self.work.send(Work::Save(message, saved, room)).is_ok()
    }

    /// Has a message removed.
    pub(crate) fn remove(&self, message: MessageId) {
        // The task ends after the switch does.
        let _ = self.work.send(Work::Remove(message));
    }
}

/// Messages that the store has.
///
/// # Errors
/// Errors of the store.
pub async fn read(store: &Store) -> Result<Vec<(MessageId, SavedMessage)>, StoreError> {
    let table: Table<SavedMessage> = store.table(KIND);
    let mut messages = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = table.list(after.as_deref(), PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(messages);
        };
        after = Some(last.id.clone());
        let read =
            |row: crate::store::Object<SavedMessage>| Some((MessageId(row.id.parse().ok()?), row.body));
        messages.extend(page.into_iter().filter_map(read));
    }
}

/// Writes messages until the switch is gone, and everything that it wanted written is.
pub async fn write(store: Store, unwritten: Unwritten, stack: Handle<Request>) {
    let mut writer = Writer {
        table: store.table(KIND),
        unwritten: unwritten.0,
        removals: Vec::new(),
        is_away: false,
    };
    while let Some((saved, is_saved)) = writer.next().await {
        if !saved.is_empty() {
            let messages = saved;
            // Nobody waits once the signalling task has ended.
            let _ = stack.request(Request::MessagesSaved { messages, is_saved }).await;
        }
    }
}

struct Writer {
    table: Table<SavedMessage>,
    unwritten: mpsc::UnboundedReceiver<Work>,
    /// Messages that are to be removed.
    removals: Vec<MessageId>,
    /// The last attempt failed, and that was told.
    is_away: bool,
}

impl Writer {
    /// Writes what waits, as one transaction: the messages that were to be saved, and whether they are. `None` at the end.
    async fn next(&mut self) -> Option<(Vec<MessageId>, bool)> {
        let mut work = Vec::new();
        let received = self.unwritten.recv_many(&mut work, BATCH);
        let is_over = match self.removals.is_empty() {
            true => received.await == 0,
            false => timeout(AGAIN, received).await == Ok(0),
        };
        let mut saved = Vec::new();
        let mut rows = Vec::new();
        for work in work {
            match work {
                Work::Save(message, form, _room) => {
                    saved.push(message);
                    rows.push((id(message), Some(form)));
                }
                Work::Remove(message) => self.removals.push(message),
            }
        }
        // One that is to be saved may be over already.
        let removed = self.removals.len().min(BATCH);
        rows.extend(
            self.removals
                .iter()
                .take(removed)
                .map(|message| (id(*message), None)),
        );
        if rows.is_empty() {
            return None;
        }
        let is_saved = match self.table.overwrite(&rows).await {
            Ok(()) => {
                self.removals.drain(..removed);
                self.is_away = false;
                true
            }
            Err(error) => {
                if !std::mem::replace(&mut self.is_away, true) {
                    tracing::warn!(%error, "messages for absent users cannot be saved");
                }
                // Their senders are told so, and a transaction that failed may have been committed.
                self.removals.extend(&saved);
                false
            }
        };
        (is_saved || !is_over).then_some((saved, is_saved))
    }
}

/// Id of a message's row: in the order of messages.
fn id(message: MessageId) -> String {
    format!("{:020}", message.0)
}
