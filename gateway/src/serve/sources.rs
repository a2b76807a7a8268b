//! Time and randomness of the machine, which the cores are given.

use ring::rand::{SecureRandom, SystemRandom};
use sans_io::{Rng, Time};

use super::error::{ServeError, failed};

/// Time since 1970.
pub(crate) fn wall_clock() -> Time {
    let micros = jiff::Timestamp::now().as_microsecond();
    Time(u64::try_from(micros).unwrap_or_default())
}

/// Random numbers from a seed of the system.
pub(crate) fn randomness() -> Result<Rng, ServeError> {
    let mut seed = [0; 32];
    SystemRandom::new()
        .fill(&mut seed)
        .map_err(|_| failed("randomness", "the system gives none"))?;
    Ok(Rng::from_entropy(seed))
}
