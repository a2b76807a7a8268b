//! The call centre with its past.

use std::sync::Arc;

use sans_io::Rng;

use super::error::{ServeError, failed};
use super::sources::wall_clock;
use crate::centre::controller::Controller;
use crate::centre::directory::Directory;
use crate::centre::persistence::Past;
use crate::centre::start::Centre;
use crate::centre::statistics::Statistics;
use crate::store::Store;

/// Starts the call centre with what the store has of it. Its numbers go on from there.
pub(super) async fn start(
    directory: Arc<Directory>,
    statistics: &Arc<Statistics>,
    rng: Rng,
    store: Option<&Store>,
) -> Result<(Centre, Controller), ServeError> {
    let past = match store {
        Some(store) => {
            let past = Past::read(store, &directory).await;
            Some(past.map_err(|error| failed("store", error))?)
        }
        None => None,
    };
    if let Some((past, _)) = &past {
        statistics.restore(past.metrics.clone());
    }
    let fold = Box::new(Arc::clone(statistics));
    Ok(Centre::start(wall_clock(), directory, fold, rng, past))
}
