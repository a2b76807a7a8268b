//! A connection lent by a pool, which goes back only when its last transaction came to an end that is known.
//!
//! After any other end nobody knows what state it is in: SQLite rolls a transaction back by itself when the disk is full, sqlx does
//! not hear of it, and every later transaction of that connection fails. So it is closed, and the pool opens another.

use sqlx::Database;
use sqlx::pool::PoolConnection;

use super::database::{Failure, Outcome};

/// See above. One that is dropped in the middle, with the future that uses it, is closed as well.
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

    /// Gives the connection back, or closes it, as `done` says.
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
