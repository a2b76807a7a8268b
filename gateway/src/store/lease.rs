//! A connection lent by a pool, which goes back only after a transaction whose end is known.
//!
//! After any other end its state is unknown: SQLite rolls a transaction back by itself when the disk is full,
//! sqlx does not notice, and every later transaction of that connection fails. So the connection is closed,
//! and the pool opens another.

use sqlx::Database;
use sqlx::pool::PoolConnection;

use super::database::{Failure, Outcome};

/// A lent connection; see above. One that is dropped halfway, with the future that uses it, is closed as well.
pub(super) struct Lease<DB: Database> {
    pub(super) connection: PoolConnection<DB>,
    sound: bool,
}

impl<DB: Database> Lease<DB> {
    pub(super) fn new(connection: PoolConnection<DB>) -> Lease<DB> {
        Lease {
            connection,
            sound: false,
        }
    }

    /// Gives the connection back, or closes it, depending on `done`.
    pub(super) fn end(mut self, done: Result<Vec<Outcome>, Failure>) -> Result<Vec<Outcome>, Failure> {
        self.sound = !matches!(done, Err(Failure::Unavailable(_)));
        done
    }
}

impl<DB: Database> Drop for Lease<DB> {
    fn drop(&mut self) {
        if !self.sound {
            self.connection.close_on_drop();
        }
    }
}
